import type { TransferError } from "../../../domain/failure.ts";
import type { HttpClient } from "../http.ts";
import type { HttpResponse } from "../http-message.ts";
import type { Access } from "./access.ts";
import { preferredChallenge } from "./challenge.ts";
import type { RegistryClient } from "./client.ts";
import { REFUSALS } from "./told.ts";

/**
 * The repository below the namespace of a url to which the check of a connection begins an upload
 * (docs/connectors.md#what-the-check-asks): always the same one, so that a registry which makes repositories at the
 * first upload, or with the first token, makes one at most.
 */
export const PROBE_NAME = "replication-check";

/** No content has this digest. */
const IMPOSSIBLE = `sha256:${"0".repeat(64)}`;
/** Largest body (bytes) of an answer to `/v2/`; those of registries have a few bytes. */
const LONGEST_GREETING = 8 * 1024;
/** What registries without an answer for `/v2/` itself say there. */
const NO_GREETING = REFUSALS.filter((status) => status !== 401 && status !== 403);
/** All refusals, and redirects, which lead to no upload. */
const ANSWERS = [300, 301, 302, 303, 304, 305, ...REFUSALS];

/** The registry that is tested, with its login. `what` in messages begins with the host. */
export type Tested = { http: HttpClient; client: RegistryClient; access: Access };

/**
 * The answer to `/v2/`. `marked`: it has what only registries send; `demandsLogin`: it is a 401; `grants`: it names a
 * token server; `page`: its body is a page for browsers.
 */
export type Greeting = {
  status: number;
  marked: boolean;
  demandsLogin: boolean;
  grants: boolean;
  page: boolean;
};

/** Asks for `/v2/` without a login. */
export async function greet(
  { http, client }: Tested,
  signal?: AbortSignal,
): Promise<Greeting> {
  const response = await http.request({
    method: "GET",
    url: new URL("/v2/", client.origin),
    what: `registry ${client.origin.host}`,
    accept: REFUSALS,
    signal,
  });
  const challenge = preferredChallenge(response.list("www-authenticate"));
  const grants =
    challenge?.scheme === "bearer" && challenge.parameters.get("realm") !== undefined;
  return {
    status: response.status,
    marked: isMarked(response) || (response.status === 401 && grants),
    demandsLogin: response.status === 401,
    grants,
    page: await isPage(response),
  };
}

/** Asks for `/v2/` with the login; throws when the registry or its token server refuses it. */
export async function logIn(
  { client }: Tested,
  signal?: AbortSignal,
): Promise<Pick<Greeting, "status" | "page">> {
  const response = await client.request({
    method: "GET",
    to: "",
    what: `login to ${client.origin.host}`,
    scopes: [],
    accept: NO_GREETING,
    signal,
  });
  return { status: response.status, page: await isPage(response) };
}

/** The answer to a request for something in a repository; `refusal`: the error that it stands for, null: 2xx. */
export type Told = { status: number; marked: boolean; refusal: TransferError | null };

/**
 * Asks for a manifest that cannot exist, with a token for reading: registries refuse it, most with a 404, and servers
 * that answer everything give themselves away.
 */
export async function askImpossible(
  { client, access }: Tested,
  name: string,
  signal?: AbortSignal,
): Promise<Told> {
  const response = await client.request({
    method: "GET",
    to: `${access.path(name)}/manifests/${IMPOSSIBLE}`,
    what: `manifest that does not exist of ${name}`,
    scopes: access.pull(name),
    accept: REFUSALS,
    signal,
  });
  return told(response);
}

/** Begins an upload and returns the answer; `location`: the address for the upload, null without one. */
export async function beginUpload(
  { client, access }: Tested,
  name: string,
  signal?: AbortSignal,
): Promise<Told & { location: string | null }> {
  const response = await client.request({
    method: "POST",
    to: `${access.path(name)}/blobs/uploads/`,
    what: `beginning of an upload to ${name}`,
    scopes: access.push(name),
    accept: ANSWERS,
    signal,
  });
  const location = response.header("location");
  const isOpen = response.status < 300 && location !== undefined;
  return {
    ...(await told(response)),
    location: isOpen ? client.resolve(location, response.url).href : null,
  };
}

/**
 * Sends nothing to an upload that does not exist: registries answer 404 or 400 to a login that may push, 401 or 403 to
 * one that may not, and keep nothing of it.
 */
export async function askToContinue(
  { client, access }: Tested,
  name: string,
  signal?: AbortSignal,
): Promise<Told> {
  const response = await client.request({
    method: "PATCH",
    to: `${access.path(name)}/blobs/uploads/00000000-0000-4000-8000-000000000000`,
    what: `right to push to ${name}`,
    scopes: access.push(name),
    headers: { "content-type": "application/octet-stream", "content-length": "0" },
    accept: REFUSALS,
    signal,
  });
  return told(response);
}

async function told(response: HttpResponse): Promise<Told> {
  const { status } = response;
  if (status < 300) {
    await response.discard();
    return { status, marked: isMarked(response), refusal: null };
  }
  const refusal = await response.failure();
  const marked = isMarked(response) || refusal.codes !== undefined;
  return { status, marked, refusal };
}

/** Whether an answer has the header that most registries send, a remainder of the time before distribution-spec. */
const isMarked = (response: HttpResponse): boolean =>
  response.header("docker-distribution-api-version") !== undefined;

/** Whether a body is HTML. Its type does not tell: quay answers `true` as text/html. */
async function isPage(response: HttpResponse): Promise<boolean> {
  const body = await response.bytes(LONGEST_GREETING).catch(() => "<");
  return body.toString().trimStart().startsWith("<");
}
