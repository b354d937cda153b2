import { type HttpRequest, type HttpResponse, isStreamed } from "./http-message.ts";

/**
 * Returns the URL to which a redirect leads. Undefined when the redirect must not be followed: it names no
 * http(s) URL, its status does not let the request be repeated (writing: only 307 and 308 do), the body is a
 * stream, or credentials would be sent without TLS.
 */
export function redirectTarget(
  request: HttpRequest,
  response: HttpResponse,
): URL | undefined {
  const location = response.header("location");
  if (location === undefined || !URL.canParse(location, response.url.href))
    return undefined;
  const target = new URL(location, response.url);
  const reading = request.method === "GET" || request.method === "HEAD";
  const keepsMethod = response.status === 307 || response.status === 308;
  const movesReading = reading && [301, 302, 303].includes(response.status);
  if (!movesReading && !(keepsMethod && !isStreamed(request.body))) return undefined;
  if (target.protocol !== "https:" && target.protocol !== "http:") return undefined;
  const downgrade = response.url.protocol === "https:" && target.protocol === "http:";
  if (downgrade && request.headers?.["authorization"] !== undefined) return undefined;
  return target;
}

export function withoutCredentials(
  headers: Record<string, string>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) =>
        !["authorization", "cookie", "proxy-authorization"].includes(name.toLowerCase()),
    ),
  );
}
