const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?:[:/]|$)/i;
export const MAX_LENGTH = 1024;

/** A URL that cannot be the address of a cluster or registry; `message` says why. */
export class EndpointUrlError extends Error {
  override readonly name = "EndpointUrlError";
}

/**
 * The address of another end as it is kept: http or https (without a scheme https, loopback http), perhaps a path, no
 * slash at the end. Credentials have fields of their own: in a URL they would be answered and logged.
 */
export function parseEndpointUrl(text: string): URL {
  const trimmed = text.trim();
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)
    ? trimmed
    : `${LOOPBACK.test(trimmed) ? "http" : "https"}://${trimmed}`;
  if (trimmed.length > MAX_LENGTH || !URL.canParse(whole))
    throw new EndpointUrlError("write http(s)://host[:port][/path]");
  const url = new URL(whole);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new EndpointUrlError("only http and https are spoken");
  if (url.username !== "" || url.password !== "")
    throw new EndpointUrlError("write credentials into username and password, not into the url");
  if (url.search !== "" || url.hash !== "") throw new EndpointUrlError("write it without ? and #");
  return url;
}

export const endpointText = (url: URL): string => (url.origin + url.pathname).replace(/\/+$/, "");

/**
 * Whether secrets kept for `before` may be sent to `after`: the same host and port (or bucket) over the same scheme, or
 * https where it was http. Both as they are kept.
 */
export function isSameEnd(before: string, after: string): boolean {
  const [old, next] = [new URL(before), new URL(after)];
  const isSafer = old.protocol === "http:" && next.protocol === "https:";
  return old.host === next.host && (old.protocol === next.protocol || isSafer);
}
