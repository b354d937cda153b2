import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { USER } from "./credentials.ts";

export type AnsweringServer = {
  url: string;
  /** The requests so far, such as `GET /v2/`. */
  requests: string[];
  /** Answers the next requests; may be replaced. */
  answer: RequestListener;
  stop: () => Promise<void>;
};

/** Starts a server on a free port that answers as given. */
export async function startAnswering(answer: RequestListener): Promise<AnsweringServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    running.answer(request, response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const running: AnsweringServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer,
    stop: () =>
      new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()),
  };
  return running;
}

/** An answer of a fake registry: its status, with an error code of the registry API, headers and a body. */
type Reply = {
  status: number;
  code?: string;
  headers?: Record<string, string>;
  body?: string;
};

/** What a fake registry does; by default it has nothing, takes uploads, and demands no login. */
type Behaviour = {
  greeting?: Reply;
  upload?: Reply;
  manifest?: Reply;
  /** The login that it demands at every path: none, Basic, or a token of its own token server. */
  login?: "basic" | "token";
  /** Address of the token server that it names; by default its own. */
  realm?: string;
  /** The answer of its token server for the right login and a scope with push. */
  pushToken?: Reply;
};

const API = { "docker-distribution-api-version": "registry/2.0" };
const UNKNOWN: Reply = { status: 404, code: "MANIFEST_UNKNOWN" };

/**
 * Answers as an image registry that behaves as given. USER is the only one whose login it accepts. With
 * `login: "token"`, a token for pushing is good unless `pushToken` says otherwise.
 */
export const registryThat =
  (behaviour: Behaviour): RequestListener =>
  (request, response) =>
    reply(response, replyOf(behaviour, request));

function replyOf(behaviour: Behaviour, request: IncomingMessage): Reply {
  const { greeting, manifest = UNKNOWN, upload, login, realm, pushToken } = behaviour;
  const path = request.url ?? "/";
  const { authorization } = request.headers;
  if (path.startsWith("/token")) {
    if (authorization !== undefined && !isUser(authorization)) return { status: 401 };
    const pushes = decodeURIComponent(path).includes("push");
    return (pushes ? pushToken : undefined) ?? token(pushes ? "push" : "any");
  }
  const isOpen =
    login === undefined ||
    (login === "basic" ? isUser(authorization) : authorization?.startsWith("Bearer "));
  if (isOpen !== true) return challenge(login ?? "basic", request, realm);
  if (path === "/v2/") return greeting ?? { status: 200, headers: API, body: "{}" };
  if (path.includes("/manifests/")) return manifest;
  if (!path.includes("/blobs/uploads/")) return { status: 404, code: "NOT_FOUND" };
  if (request.method === "DELETE") return { status: 204 };
  if (login === "token" && authorization !== "Bearer push")
    return challenge("token", request, realm);
  if (request.method === "PATCH") return { status: 404, code: "BLOB_UPLOAD_UNKNOWN" };
  return upload ?? { status: 202, headers: { location: `${path}1` } };
}

const LOGIN = Buffer.from(`${USER.username}:${USER.password}`).toString("base64");
const isUser = (authorization: string | undefined): boolean =>
  authorization === `Basic ${LOGIN}`;

/** A token server's answer with this token; only the token `push` lets push. */
export const token = (value: string): Reply => ({
  status: 200,
  body: JSON.stringify({ token: value }),
});

function challenge(
  login: "basic" | "token",
  request: IncomingMessage,
  realm = `http://${request.headers.host}/token`,
): Reply {
  const demand =
    login === "basic" ? 'Basic realm="r"' : `Bearer realm="${realm}",service="s"`;
  return {
    status: 401,
    code: "UNAUTHORIZED",
    headers: { ...API, "www-authenticate": demand },
  };
}

function reply(response: ServerResponse, { status, code, headers, body }: Reply): void {
  const errors = code && JSON.stringify({ errors: [{ code, message: "no" }] });
  response.writeHead(status, headers).end(body ?? errors ?? "");
}
