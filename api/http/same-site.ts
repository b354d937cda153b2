import type { Context, MiddlewareHandler } from "hono";
import { text } from "../../domain/text.ts";
import type { Env } from "../deps.ts";
import { failWith } from "./errors.ts";

const SAFE = ["GET", "HEAD", "OPTIONS"];
/** GETs that change something: they connect to a server that they name, and store the result. */
const CHANGING_GETS = /^\/replication\/api\/cluster\/tryConnect$/;

const FOREIGN = text(
  "a page of another site sent this: open the page from this instance; set PUBLIC_URL if a proxy changes the address",
  "此请求来自其他站点的页面：请从本实例打开页面；如果代理更改了地址，请设置 PUBLIC_URL",
);

/**
 * Refuses changes that a browser sends for a page of another site (250113, 403): the browser would add the
 * administrator's login. Browsers say so in Sec-Fetch-Site, older ones and those without TLS in Origin; other
 * clients send neither, and pass. With a GET, browsers without TLS send neither, so its Referer must be ours.
 */
export function sameSite(): MiddlewareHandler<Env> {
  return (c, next) => {
    const isChange = !SAFE.includes(c.req.method) || CHANGING_GETS.test(c.req.path);
    if (isChange && isForeign(c)) failWith(403, 250113, FOREIGN);
    return next();
  };
}

function isForeign(c: Context<Env>): boolean {
  const site = c.req.header("sec-fetch-site")?.toLowerCase();
  // Only the browser can set this header. `none`: a person typed the address.
  if (site === "same-origin" || site === "none") return false;
  const origin = c.req.header("origin");
  if (origin === undefined && site === undefined && c.req.method === "GET")
    return isBrowser(c) && !isOwn(c, c.req.header("referer") ?? "");
  if (origin === undefined) return site !== undefined;
  return site === "cross-site" || !isOwn(c, origin);
}

/** Every browser's name begins so, for reasons of history. */
const isBrowser = (c: Context<Env>): boolean =>
  c.req.header("user-agent")?.startsWith("Mozilla/") ?? false;

/**
 * Whether an origin, or the origin of an address, is this instance. Its scheme is not compared where only the Host
 * header says who we are, because a proxy may have ended TLS.
 */
function isOwn(c: Context<Env>, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { host, origin: normal } = new URL(origin);
  const own = new URL(c.get("client").origin);
  return normal === own.origin || host === new URL(c.req.url).host || host === own.host;
}
