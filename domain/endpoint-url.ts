import { hasCredentials, hasQuery, isHttp, readUrl } from "./http-url.ts";

export const MAX_LENGTH = 1024;

/** A URL that cannot be the address of a cluster or registry; `message` says why. */
export class EndpointUrlError extends Error {
  override readonly name = "EndpointUrlError";
}

/**
 * Parses the address of a cluster or registry: http or https (without a scheme: https, but http for
 * loopback), perhaps with a path. Credentials have fields of their own: inside a URL they would show in
 * answers and logs. Throws EndpointUrlError.
 */
export function parseEndpointUrl(text: string): URL {
  const url = text.trim().length > MAX_LENGTH ? null : readUrl(text);
  if (url === null) throw new EndpointUrlError("write http(s)://host[:port][/path]");
  if (!isHttp(url)) throw new EndpointUrlError("only http and https are supported");
  if (hasCredentials(url))
    throw new EndpointUrlError(
      "write credentials into username and password, not into the url",
    );
  if (hasQuery(url)) throw new EndpointUrlError("write it without ? and #");
  return url;
}

/** The form in which an address is stored: no slash at the end. */
export const endpointText = (url: URL): string =>
  (url.origin + url.pathname).replace(/\/+$/, "");

/**
 * Whether secrets stored for `before` may be sent to `after`: the same host and port (or bucket) over the
 * same scheme, or over https instead of http. Both addresses are in their stored form.
 */
export function isSameEnd(before: string, after: string): boolean {
  const [old, next] = [new URL(before), new URL(after)];
  const isSafer = old.protocol === "http:" && next.protocol === "https:";
  return old.host === next.host && (old.protocol === next.protocol || isSafer);
}
