import { BlockList, isIP } from "node:net";
import type { Context, MiddlewareHandler } from "hono";
import type { Env, Trust } from "../deps.ts";

/** Reads the setting TRUSTED_PROXIES: ranges as `address/prefix`. */
export function createTrust(ranges: readonly string[]): Trust {
  const trusted = new BlockList();
  for (const range of ranges) {
    const [address = "", prefix] = range.split("/");
    trusted.addSubnet(address, Number(prefix), familyOf(address));
  }
  return (address) => isIP(address) > 0 && trusted.check(address, familyOf(address));
}

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4");

/**
 * Works out the client of each request: everything that depends on a client's address uses it. Proxies are
 * believed only if `isTrusted`; `publicUrl`, if it is set, is the origin of all.
 */
export function knowClient(
  isTrusted: Trust,
  publicUrl: string | null,
): MiddlewareHandler<Env> {
  const own = publicUrl && publicUrl.replace(/\/+$/, "");
  return (c, next) => {
    const peer = plain(c.env?.peer ?? c.env?.incoming?.socket.remoteAddress ?? "local");
    const isProxied = isTrusted(peer);
    c.set("client", {
      address: isProxied ? addressBehind(c, peer, isTrusted) : peer,
      origin: own ?? originOf(c, isProxied),
    });
    return next();
  };
}

/** Returns an IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`) as itself. */
export const plain = (address: string): string =>
  address.replace(/^::ffff:(?=\d+\.)/i, "");

/**
 * Follows X-Forwarded-For, or Forwarded (RFC 7239), from the right through trusted proxies: what stands left
 * of the first other address, anybody may have written. A proxy passes on the header of the two that it does
 * not know, so a client could choose its address by it; when both are there and differ, the proxy is the client.
 */
function addressBehind({ req }: Context<Env>, peer: string, isTrusted: Trust): string {
  const listed = splitList(req.header("x-forwarded-for"));
  const elements = splitList(req.header("forwarded")).map((each) =>
    parameterOf(each, "for"),
  );
  const found = [listed, elements]
    .filter(({ length }) => length > 0)
    .map((hops) => walk(hops, peer, isTrusted));
  const [first = peer, second = first] = found;
  return first === second ? first : peer;
}

function walk(hops: readonly string[], peer: string, isTrusted: Trust): string {
  let address = peer;
  for (const hop of hops.toReversed()) {
    const next = plain(withoutPort(hop));
    if (!isTrusted(address) || isIP(next) === 0) break;
    address = next;
  }
  return address;
}

/** Splits a list at its commas; neither addresses nor hosts contain any, quoted or not. */
const splitList = (header = ""): string[] =>
  header
    .split(",")
    .map((part) => part.trim())
    .filter(Boolean);

/** Returns a parameter of an element of Forwarded, "" if it has none. */
function parameterOf(element: string, name: string): string {
  const pair = element
    .split(";")
    .find((each) => each.trim().toLowerCase().startsWith(`${name}=`));
  return (pair ?? "").replace(/^[^=]*=/, "").replaceAll('"', "");
}

/** `192.0.2.1:80`, `[2001:db8::1]:80` and `[2001:db8::1]` without port and brackets. */
const withoutPort = (node: string): string =>
  node.replace(/^\[([^\]]*)\](?::\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1");

/** Returns where a client reached this instance; a trusted proxy says how it was reached itself. */
function originOf({ req }: Context<Env>, isProxied: boolean): string {
  const url = new URL(req.url);
  const asked = HOST.test(url.host) ? url.host : "localhost";
  if (!isProxied) return `${url.protocol}//${asked}`;
  const nearest = splitList(req.header("forwarded")).at(-1) ?? "";
  const said = (name: string) =>
    splitList(req.header(`x-forwarded-${name}`)).at(-1) ?? parameterOf(nearest, name);
  const scheme = said("proto").toLowerCase() === "https" ? "https:" : url.protocol;
  const host = said("host");
  const origin = `${scheme}//${host}`;
  return HOST.test(host) && URL.canParse(origin)
    ? new URL(origin).origin
    : `${scheme}//${asked}`;
}

/** Hosts that may stand in an answer: URL parsers accept quotes, too. */
const HOST = /^[\w.:[\]-]+$/;
