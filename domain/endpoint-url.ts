import { hasCredentials, hasQuery, isHttp, readUrl } from "./http-url.ts";
import { text, TextError } from "./text.ts";

export const MAX_LENGTH = 1024;
export const WITHOUT_QUERY = text("write it without ? and #", "不能含有 ? 和 #");

/** A URL that cannot be the address of a cluster or registry; `text` says why. */
export class EndpointUrlError extends TextError {
  override readonly name = "EndpointUrlError";
}

/**
 * Parses the address of a cluster or registry: http or https (without a scheme: https, but http for
 * loopback), perhaps with a path. Throws EndpointUrlError for any other text, also for a URL with a query,
 * a fragment or credentials: credentials have fields of their own, because inside a URL they would show in
 * answers and logs.
 */
export function parseEndpointUrl(given: string): URL {
  const url = given.trim().length > MAX_LENGTH ? null : readUrl(given);
  if (url === null)
    throw new EndpointUrlError(
      text("write http(s)://host[:port][/path]", "请写成 http(s)://host[:port][/path]"),
    );
  if (!isHttp(url))
    throw new EndpointUrlError(
      text("only http and https are supported", "仅支持 http 和 https"),
    );
  if (hasCredentials(url))
    throw new EndpointUrlError(
      text(
        "write credentials into username and password, not into the url",
        "凭据请写入 username 和 password，不要写在 url 中",
      ),
    );
  if (hasQuery(url)) throw new EndpointUrlError(WITHOUT_QUERY);
  return url;
}

/** Returns the form in which an address is stored: no slash at the end. */
export const endpointText = (url: URL): string =>
  (url.origin + url.pathname).replace(/\/+$/, "");

/**
 * Checks whether secrets stored for `before` may be sent to `after`. Both are addresses in stored form.
 * Their host (or bucket) and the port as written must be equal, and so must the scheme, except that https
 * may replace http.
 */
export function isSameEnd(before: string, after: string): boolean {
  const [old, next] = [new URL(before), new URL(after)];
  const isSafer = old.protocol === "http:" && next.protocol === "https:";
  return old.host === next.host && (old.protocol === next.protocol || isSafer);
}
