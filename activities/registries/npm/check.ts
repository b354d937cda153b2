import { type TransferError, toTransferError } from "../../../domain/failure.ts";
import type { Answer, Check, End } from "../contract.ts";
import { authorizationOf } from "../login.ts";
import { jsonOf, type NpmRegistry, openNpmRegistry } from "./registry.ts";

const NOT_TRIED: Answer = { ok: null, message: "not tried" };
/** Statuses of registries that do not support a ping; any of them proves that the registry is reachable. */
const ANY_ANSWER = [400, 401, 403, 404, 405, 501];

/**
 * Checks whether the registry answers and accepts the login. Which packages the login may publish shows
 * only when one is published.
 */
export async function check(end: End, signal: AbortSignal): Promise<Check> {
  const registry = openNpmRegistry(end);
  try {
    const reached = await reach(registry, signal).then(() => null, toTransferError);
    if (reached?.kind === "cancelled") throw reached;
    if (reached)
      return { reachable: no(reached), authenticated: NOT_TRIED, allowed: NOT_TRIED };
    const reachable: Answer = { ok: true, message: `${registry.host} answers` };
    const allowed: Answer = {
      ok: null,
      message: "permissions show only when a package is read or published",
    };
    return {
      reachable,
      authenticated: await logIn(registry, end, signal),
      allowed,
    };
  } finally {
    await registry.close();
  }
}

async function reach(registry: NpmRegistry, signal: AbortSignal): Promise<void> {
  await (
    await registry.ask("-/ping", {
      method: "GET",
      what: `registry ${registry.host}`,
      accept: ANY_ANSWER,
      signal,
    })
  ).discard();
}

async function logIn(
  registry: NpmRegistry,
  end: End,
  signal: AbortSignal,
): Promise<Answer> {
  if (authorizationOf(end) === null) return { ok: null, message: "no login was given" };
  const what = `login to ${registry.host}`;
  try {
    const answer = await registry.ask("-/whoami", {
      method: "GET",
      what,
      accept: [404, 405, 501],
      signal,
    });
    if (answer.status >= 300)
      return answer.discard().then(() => ({
        ok: null,
        message: `${registry.host} does not say who is logged in`,
      }));
    const { username } = await jsonOf(answer, what);
    const name = username === end.username ? username : answer.shown(String(username));
    return typeof username === "string" && username !== ""
      ? { ok: true, message: `${registry.host} knows the login as ${name}` }
      : {
          ok: false,
          message: `${what}: the registry does not know this login: check user name, password or token`,
        };
  } catch (error) {
    const failure = toTransferError(error);
    if (failure.kind === "cancelled") throw failure;
    return no(failure);
  }
}

const no = ({ message }: TransferError): Answer => ({ ok: false, message });
