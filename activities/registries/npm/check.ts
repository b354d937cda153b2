import { TransferError } from "../../../domain/failure.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { isRecord, type JsonObject } from "../../../domain/json.ts";
import {
  answering,
  attempt,
  hurried,
  NOT_TRIED,
  NOTHING_TRIED,
  refusedLogin,
  unreached,
} from "../check.ts";
import type { End } from "../contract.ts";
import type { Answer, Check, CheckUse } from "../../../domain/check.ts";
import type { HttpResponse } from "../http-message.ts";
import { givenLogin } from "../login.ts";
import {
  anonymous,
  isDoubtful,
  isOther,
  isRegistry,
  knowsLogin,
  SHOWS_LATER,
  silentLogin,
  strangeLogin,
} from "./check-words.ts";
import { type NpmRegistry, openNpmRegistry } from "./registry.ts";

/** A package that no registry has: the answer shows how a server speaks of what is missing. */
const MISSING = "replication-check-of-a-missing-package";
/** Refusals that are answers; their bodies show whether a registry wrote them. */
const REFUSALS = [400, 401, 403, 404, 405, 406, 501];

/**
 * Checks whether a server is an npm registry and accepts the login. Which packages the login may publish shows
 * only when one is published, so nothing is written, whatever the use.
 */
export async function check(
  end: End,
  use: CheckUse,
  signal: AbortSignal,
): Promise<Check> {
  const registry = openNpmRegistry(end);
  try {
    return await checkRegistry(registry, { end, use }, signal);
  } finally {
    await registry.close();
  }
}

async function checkRegistry(
  registry: NpmRegistry,
  { end, use }: { end: End; use: CheckUse },
  signal: AbortSignal,
): Promise<Check> {
  const { host } = registry;
  const given = givenLogin(end);
  // Servers delay wrong logins, and may lock a user out after some of them: no question follows a refused one.
  const early =
    use === "LOGIN" && given !== "none" ? await whoAmI(registry, end, signal) : null;
  if (early?.ok === false) return refused(host, early);
  const asked = await attempt(() => askFor(registry, MISSING, signal), signal);
  if (asked.error?.kind === "throttled") return hurried(host);
  if (asked.error) return { ...NOTHING_TRIED, reachable: unreached(host, asked.error) };
  const reachable = answering(host);
  const isClosed = demandsLogin(asked.value);
  const asWhom =
    early ?? (isClosed && given !== "none" ? await whoAmI(registry, end, signal) : null);
  if (asWhom?.ok === false) return refused(host, asWhom);
  const product = await productOf(registry, asked.value, signal);
  if (product.ok === false) return { ...NOTHING_TRIED, reachable, product };
  const login =
    given === "none"
      ? anonymous(host)
      : (asWhom ?? (await whoAmI(registry, end, signal)));
  const isShut = isClosed && login.ok !== true;
  const authenticated = isShut ? refusedLogin(host, given, SHUT) : login;
  const allowed = authenticated.ok === false ? NOT_TRIED : SHOWS_LATER;
  return { reachable, product, authenticated, allowed };
}

/** The result when a server refused the login; no further question was asked. */
const refused = (host: string, authenticated: Answer): Check => ({
  reachable: answering(host),
  product: isDoubtful(host),
  authenticated,
  allowed: NOT_TRIED,
});

/** The refusal of a registry that lets nobody read without a login that it knows. */
const SHUT = new TransferError("auth", "it answered 401");

/** Whether nothing can be read. A 403 in JSON may concern only the package that was asked for. */
const demandsLogin = ({ status, body }: Told): boolean =>
  status === 401 || (status === 403 && body === null);

type Told = { status: number; body: JsonObject | null };

/** Asks for a path; `body` is null when it is not a JSON object. */
async function askFor(
  registry: NpmRegistry,
  path: string,
  signal: AbortSignal,
): Promise<Told> {
  const answer = await registry.ask(path, {
    method: "GET",
    what: `registry ${registry.host}`,
    accept: REFUSALS,
    signal,
  });
  return { status: answer.status, body: await readObject(answer) };
}

async function readObject(answer: HttpResponse): Promise<JsonObject | null> {
  try {
    const value = await answer.json(LIMITS.facts);
    return isRecord(value) ? value : null;
  } catch (error) {
    if (error instanceof TransferError && error.kind === "cancelled") throw error;
    return null;
  }
}

/**
 * Judges a server by its answer for a package that does not exist, and by its answer to a ping, which some
 * registries do not have. A server that demands a login before it says anything may be a registry.
 */
async function productOf(
  registry: NpmRegistry,
  { status, body }: Told,
  signal: AbortSignal,
): Promise<Answer> {
  const { host } = registry;
  if (status < 300)
    return isRecord(body?.["versions"]) ? isRegistry(host) : isOther(host, status);
  const ping = await attempt(() => askFor(registry, "-/ping", signal), signal);
  if (ping.value !== undefined && ping.value.status < 300 && ping.value.body !== null)
    return isRegistry(host);
  const isOpen = status !== 401 && status !== 403;
  return isOpen && !isRefusal(body) ? isOther(host, status) : isDoubtful(host);
}

/** Whether a body is a refusal in JSON as npm registries write it; image registries list errors with codes. */
function isRefusal(body: JsonObject | null): boolean {
  if (body === null) return false;
  const { error, reason, message, errors } = body;
  if ([error, reason, message].some((said) => typeof said === "string")) return true;
  if (isRecord(error) && "code" in error) return true;
  return (
    Array.isArray(errors) && !errors.some((each) => isRecord(each) && "code" in each)
  );
}

async function whoAmI(
  registry: NpmRegistry,
  end: End,
  signal: AbortSignal,
): Promise<Answer> {
  const { host } = registry;
  const asked = await attempt(
    () =>
      registry.ask("-/whoami", {
        method: "GET",
        what: `login to ${host}`,
        accept: REFUSALS.filter((status) => status !== 401 && status !== 403),
        signal,
      }),
    signal,
  );
  if (asked.error)
    return asked.error.kind === "auth"
      ? refusedLogin(host, givenLogin(end), asked.error)
      : silentLogin(host);
  const body = await readObject(asked.value);
  if (asked.value.status >= 300 || body === null) return silentLogin(host);
  const { username } = body;
  if (typeof username !== "string" || username === "") return strangeLogin(host);
  const own = username === end.username;
  return knowsLogin(host, own ? username : asked.value.shown(username));
}
