import type { ApiDeps } from "../../../api/deps.ts";
import { addFollower } from "../db/rows.ts";
import { LOGIN, startApi } from "./socket-fixture.ts";
import { pushImage, type TestBlob, type TestManifest } from "../servers/images.ts";

export { LOGIN };

type Answer = {
  status: number;
  headers: Headers;
  bytes: Buffer;
  text: string;
  json: unknown;
};
type Call = {
  headers?: Record<string, string>;
  body?: Uint8Array | string;
  login?: string | null;
};

/**
 * Starts the API on a socket, with the hosted repositories team/images (OCI), team/docker (DOCKER), team/files
 * (GENERIC) and the linked repository team/linked.
 */
export async function startImages(
  overrides: Partial<ApiDeps> = {},
  directory?: string,
  options: Parameters<typeof startApi>[2] = {},
) {
  const api = await startApi(overrides, directory, options);
  await makeRepositories(api.call);
  addFollower(api.db, "team");
  const host = `127.0.0.1:${api.port}`;
  return { ...api, host, ...createClient(api.url) };
}

export type Images = Awaited<ReturnType<typeof startImages>>;

async function makeRepositories(
  call: Awaited<ReturnType<typeof startApi>>["call"],
): Promise<void> {
  await call("POST", "/repository/api/project/create", {
    body: { name: "team", displayName: "Team" },
  });
  for (const [name, type] of [
    ["images", "OCI"],
    ["docker", "DOCKER"],
    ["files", "GENERIC"],
  ] as const) {
    await call("POST", "/repository/api/repo/create", {
      body: { projectId: "team", name, type },
    });
  }
  const configuration = { type: "remote", url: "http://127.0.0.1:9" };
  await call("POST", "/repository/api/repo/create", {
    body: {
      projectId: "team",
      name: "linked",
      type: "OCI",
      category: "REMOTE",
      configuration,
    },
  });
}

/** Creates a plain HTTP client with the admin's Basic login, unless a request has another login. */
export function createClient(url: string) {
  async function http(
    method: string,
    path: string,
    { headers = {}, body, login = LOGIN }: Call = {},
  ): Promise<Answer> {
    const target = path.startsWith("http") ? path : `${url}${path}`;
    const sent =
      body === undefined
        ? {}
        : { body: typeof body === "string" ? body : new Uint8Array(body) };
    const answer = await fetch(target, {
      method,
      headers: { ...(login === null ? {} : { authorization: login }), ...headers },
      ...sent,
    });
    const bytes = Buffer.from(await answer.arrayBuffer());
    const text = bytes.toString();
    const json: unknown =
      (answer.headers.get("content-type") ?? "").includes("json") && text !== ""
        ? JSON.parse(text)
        : null;
    return { status: answer.status, headers: answer.headers, bytes, text, json };
  }

  /** Begins an upload and returns the location at which it continues. */
  async function begin(name: string): Promise<string> {
    const answer = await http("POST", `/v2/${name}/blobs/uploads/`);
    if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`);
    return answer.headers.get("location") ?? "";
  }

  const push = (name: string, tag: string | null, image: TestManifest) =>
    pushImage(url, name, tag, image, { authorization: LOGIN });
  async function putBlob(name: string, blob: TestBlob): Promise<void> {
    const answer = await http(
      "POST",
      `/v2/${name}/blobs/uploads/?digest=${blob.digest}`,
      { body: blob.bytes },
    );
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.text}`);
  }
  const putManifest = (
    name: string,
    reference: string,
    image: Pick<TestManifest, "bytes" | "mediaType">,
  ) =>
    http("PUT", `/v2/${name}/manifests/${reference}`, {
      body: image.bytes,
      headers: { "content-type": image.mediaType },
    });
  const tags = async (name: string): Promise<string[] | null> => {
    const answer = await http("GET", `/v2/${name}/tags/list`);
    return answer.status === 404 ? null : (answer.json as { tags: string[] }).tags;
  };
  return { http, begin, push, putBlob, putManifest, tags };
}

/** Returns the first error's code of an answer in the error format of the distribution specification. */
export const codeOf = ({ json }: Answer): string =>
  (json as { errors: { code: string }[] } | null)?.errors[0]?.code ?? "";
export const withDigest = (location: string, digest: string): string =>
  `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;
