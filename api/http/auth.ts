import type { Context, MiddlewareHandler } from "hono";
import { setBounded } from "../../domain/bounded.ts";
import { sameSecret } from "../../activities/secrets/seal.ts";
import { WRONG_LOGIN } from "../../domain/login.ts";
import { text } from "../../domain/text.ts";
import type { ApiDeps, Env } from "../deps.ts";
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

/**
 * Checks `user:password`; null (no valid credentials) counts as wrong. A wrong login throws 250114
 * (401) after a delay that grows with each one from the same address; while too many of them wait,
 * every login throws 250124 (429).
 */
export type Login = (c: Context<Env>, given: string | null) => Promise<void>;

export function createLogin({ admin, now }: Pick<ApiDeps, "admin" | "now">): Login {
  const slowDown = createSlowDown(now);
  const expected = `${admin.username}:${admin.password}`;
  return async (c, given) => {
    const address = clientOf(c.env?.incoming?.socket.remoteAddress);
    if (slowDown.floods(address))
      throw new ApiError([250124, FLOODED], { headers: { "retry-after": "5" } });
    if (sameSecret(given ?? "", expected)) return;
    await slowDown.wait(address);
    throw new ApiError([250114, WRONG_LOGIN], { headers: CHALLENGE });
  };
}

type Guard = Pick<ApiDeps, "admin"> & { hasOwnLogin: (path: string) => boolean };

/**
 * Creates the middleware that admits only requests of the admin. Health, documentation and signed
 * requests of workers need no login; a request without credentials does not count as a wrong login.
 * `hasOwnLogin`: whether the route of a path checks the login itself.
 */
export function authenticate(
  login: Login,
  { admin, hasOwnLogin }: Guard,
): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (OPEN.test(c.req.path) || SIGNED.test(c.req.path) || hasOwnLogin(c.req.path))
      return next();
    const header = c.req.header("authorization");
    if (header === undefined) throw new ApiError([250114], { headers: CHALLENGE });
    await login(c, basicCredentials(header));
    c.set("user", admin.username);
    await next();
  };
}

/** Decodes `user:password` of a Basic header (RFC 7617); null for anything else. */
export function basicCredentials(header: string): string | null {
  const [, encoded] = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header) ?? [];
  return encoded === undefined ? null : Buffer.from(encoded, "base64").toString("utf8");
}

/**
 * Returns the key under which a client's wrong logins are counted: an IPv4 address, or the /64
 * network in which one IPv6 client can choose addresses at will; `local` without an address.
 */
export function clientOf(address = "local"): string {
  const v4 = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!v4.includes(":")) return v4;
  const [head = [], tail = []] = v4
    .split("::")
    .map((part) => part.split(":").filter(Boolean));
  const zeros = Array.from(
    { length: Math.max(0, 8 - head.length - tail.length) },
    () => "0",
  );
  return [...head, ...zeros, ...tail].slice(0, 4).join(":");
}

const FIRST_MS = 100;
const MOST_MS = 5_000;
const FORGET_MS = 10 * 60_000;
const MOST_WAITING = 100;
const MOST_ADDRESSES = 10_000;

/**
 * Delays the answers to wrong logins, longer with each from the same address, up to MOST_MS. Right
 * credentials are not delayed. `floods`: whether MOST_WAITING wrong logins of an address wait; then
 * all its logins are to be refused unread.
 */
export function createSlowDown(
  now: () => number,
  sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
) {
  const addresses = new Map<
    string,
    { failures: number; waiting: number; last: number }
  >();
  return {
    floods: (address: string): boolean =>
      (addresses.get(address)?.waiting ?? 0) >= MOST_WAITING,
    async wait(address: string): Promise<void> {
      const known = addresses.get(address);
      const entry =
        known && now() - known.last < FORGET_MS
          ? known
          : { failures: 0, waiting: known?.waiting ?? 0, last: 0 };
      addresses.delete(address);
      setBounded(addresses, address, entry, MOST_ADDRESSES);
      entry.last = now();
      const delay =
        entry.failures === 0
          ? 0
          : Math.min(MOST_MS, FIRST_MS * 2 ** (entry.failures - 1));
      entry.failures += 1;
      entry.waiting += 1;
      await sleep(delay);
      entry.waiting -= 1;
    },
  };
}
