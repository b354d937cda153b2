import { toTransferError, type TransferError } from "../../../domain/failure.ts";
import type { Answer, Check } from "../contract.ts";
import type { HttpClient } from "../http.ts";
import { digestOf } from "../verified.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import type { Uploads } from "./uploads.ts";

/**
 * The operation to try: list the catalog (`name` null), pull from the repository `name`, or push to it
 * (`push`). A push without a name is not tried.
 */
export type CheckScope = { name: string | null; push: boolean };

const NOT_TRIED: Answer = { ok: null, message: "not tried" };

/**
 * Checks whether a registry is reachable, accepts the login and allows what `scope` names; throws only when
 * `signal` fires.
 */
export async function checkRegistry(
  http: HttpClient,
  client: RegistryClient,
  access: Access,
  uploads: Uploads,
  scope: CheckScope,
  signal?: AbortSignal,
): Promise<Check> {
  const { host } = client.origin;
  const probe = await attempt(async () => {
    const url = new URL("/v2/", client.origin);
    const response = await http.request({
      method: "GET",
      url,
      what: `registry ${host}`,
      accept: [401, 403],
      signal,
    });
    await response.discard();
    return response.status;
  }, signal);
  if (!probe.done)
    return { reachable: no(probe.error), authenticated: NOT_TRIED, allowed: NOT_TRIED };

  const reachable = yes(`${host} answers`);
  const login = await attempt(async () => {
    const response = await client.request({
      method: "GET",
      to: "",
      what: `login to ${host}`,
      scopes: [],
      signal,
    });
    await response.discard();
  }, signal);
  if (!login.done)
    return { reachable, authenticated: no(login.error), allowed: NOT_TRIED };
  const authenticated = yes(
    probe.value === 200 ? `${host} requires no login` : `${host} accepts the login`,
  );

  if (scope.push && scope.name === null)
    return { reachable, authenticated, allowed: NOT_TRIED };
  const allowed = await attempt(
    () => tryScope(client, access, uploads, scope, signal),
    signal,
  );
  return {
    reachable,
    authenticated,
    allowed: allowed.done ? yes(allowed.value) : no(allowed.error),
  };
}

async function tryScope(
  client: RegistryClient,
  access: Access,
  uploads: Uploads,
  { name, push }: CheckScope,
  signal?: AbortSignal,
): Promise<string> {
  if (name === null) {
    const what =
      "list of repositories (without it, packages must be named with packageConstraints)";
    const response = await client.request({
      method: "GET",
      to: "_catalog?n=1",
      what,
      scopes: ["registry:catalog:*"],
      signal,
    });
    await response.discard();
    return "may list repositories";
  }
  if (push) {
    const session = await uploads.startUpload(
      name,
      digestOf(Buffer.alloc(0)),
      null,
      signal,
    );
    if (session !== "mounted") await uploads.cancelUpload(name, session);
    return `may push to ${name}`;
  }
  const to = `${access.path(name)}/tags/list?n=1`;
  const response = await client.request({
    method: "GET",
    to,
    what: `tags of ${name}`,
    scopes: access.pull(name),
    signal,
  });
  await response.discard();
  return `may pull ${name}`;
}

type Attempt<T> = { done: true; value: T } | { done: false; error: TransferError };

async function attempt<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<Attempt<T>> {
  try {
    return { done: true, value: await work() };
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return { done: false, error: toTransferError(error) };
  }
}

const yes = (message: string): Answer => ({ ok: true, message });
const no = (error: TransferError): Answer => ({ ok: false, message: error.message });
