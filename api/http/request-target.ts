import type { IncomingMessage } from "node:http";
import { text, type Text } from "../../domain/text.ts";

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/i;
const FIRST_SEGMENT = /^(?:\S+ )?(?:https?:\/\/[^/ ]*)?(\/\w+\/)/i;
const SHOWN = 200;

/**
 * Changes the target of a request so that URL parsers leave it as it is: a backslash, which they
 * take for a slash, is percent-encoded. Returns why the target or the Host header is not readable,
 * else null.
 */
export function mendTarget(incoming: IncomingMessage): Text | null {
  const { url = "", headers, httpVersion } = incoming;
  const [, scheme, authority = headers.host, rest = url] = ABSOLUTE.exec(url) ?? [];
  if (authority === undefined && httpVersion !== "1.0")
    return text(
      "it has no Host header, which HTTP/1.1 requires",
      "缺少 HTTP/1.1 要求的 Host 请求头",
    );
  const host = authority ?? "";
  if ((host !== "" || scheme !== undefined) && !isHost(host)) {
    return text(
      `${shown(host)} is not a host: send a name or an address, with :port where it has one, as Host`,
      `${shown(host)} 不是主机：Host 请填写名称或地址，有端口时加 :port`,
    );
  }
  const target = scheme === undefined || rest.startsWith("/") ? rest : `/${rest}`;
  if (!target.startsWith("/")) {
    return text(
      `its target ${shown(target)} is neither a path nor an http address: begin it with a slash`,
      `请求目标 ${shown(target)} 既不是路径也不是 http 地址：必须以斜杠开头`,
    );
  }
  const [path = "", ...query] = target.split("?");
  const mended = [path.replaceAll("\\", "%5C"), ...query].join("?");
  incoming.url =
    scheme === undefined ? mended : `${scheme.toLowerCase()}://${host}${mended}`;
  return null;
}

/**
 * Returns the first path segment in an unreadable request line or target, with its slashes (`/npm/`); `/`
 * if it finds none. The segment decides in whose format (API, OCI, npm, Maven) the error is answered.
 */
export const formOf = (line: string): string => FIRST_SEGMENT.exec(line)?.[1] ?? "/";

function isHost(authority: string): boolean {
  const address = `http://${authority}/`;
  return (
    URL.canParse(address) &&
    new URL(address).hostname === authority.replace(/:\d+$/, "").toLowerCase()
  );
}

const shown = (given: string): string => JSON.stringify(given.slice(0, SHOWN));
