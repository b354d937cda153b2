import type { Context, MiddlewareHandler } from "hono";
import { sameSecret } from "../../activities/secrets/seal.ts";
import { WRONG_LOGIN } from "../../domain/login.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps, Env } from "../deps.ts";
import { admit } from "./admit.ts";
import { createBrake } from "./brake.ts";
import { ApiError } from "./errors.ts";

const OPEN = /^\/(?:health\/[^/]*|docs|openapi\.json)$/;
/**
 * Requests below this path are signed instead of having a login (docs/decisions.md#internal-api).
 */
const SIGNED = /^\/internal\/v1\//;

export const CHALLENGE = {
  "www-authenticate": 'Basic realm="artifact replication", charset="UTF-8"',
};

const FLOODED = text(
  "too many wrong logins from this address: try again after Retry-After seconds",
  "来自该地址的错误登录过多：请在 Retry-After 秒后重试",
);
/** A dropped guesser also loses its connection, so that each further guess costs another one. */
const DROPPED = { "retry-after": "5", connection: "close" };

/**
 * Checks `user:password` and admits the request; null (no valid credentials) counts as wrong. Right credentials
 * are never delayed or refused. A wrong login throws 250114 (401) after a delay that grows with each one from the
 * same network, or 250124 (429) when too many of them wait.
 */
export type Login = (c: Context<Env>, given: string | null) => Promise<void>;

export function createLogin({ admin }: Pick<ApiDeps, "admin">): Login {
  const brake = createBrake();
  const expected = `${admin.username}:${admin.password}`;
  return async (c, given) => {
    if (sameSecret(given ?? "", expected)) return admit(c, admin.username);
    // Without a colon it may be a password, which must not get into the log.
    c.set("claimed", given?.includes(":") ? given.split(":", 1)[0] : "");
    const hasWaited = await brake(c.get("client").address);
    throw hasWaited
      ? new ApiError([250114, WRONG_LOGIN], { headers: CHALLENGE })
      : new ApiError([250124, FLOODED], { headers: DROPPED });
  };
}

type Guard = { hasOwnLogin: (path: string) => boolean };

/**
 * Creates the middleware that admits only requests of the admin. Health, documentation and signed
 * requests of workers need no login; a request without credentials does not count as a wrong login.
 * `hasOwnLogin`: whether the route of a path checks the login itself.
 */
export function authenticate(
  login: Login,
  { hasOwnLogin }: Guard,
): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (OPEN.test(c.req.path) || SIGNED.test(c.req.path) || hasOwnLogin(c.req.path))
      return next();
    await loginByBasic(c, login);
    await next();
  };
}

/** Checks the Basic credentials of a request as `login` does; throws 250114 (401) if it has none. */
export async function loginByBasic(c: Context<Env>, login: Login): Promise<void> {
  const header = c.req.header("authorization");
  if (header === undefined) throw new ApiError([250114], { headers: CHALLENGE });
  await login(c, basicCredentials(header));
}

/** Decodes `user:password` of a Basic header (RFC 7617); null for anything else. */
export function basicCredentials(header: string): string | null {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header) ?? [];
  return encoded === undefined ? null : Buffer.from(encoded, "base64").toString("utf8");
}
