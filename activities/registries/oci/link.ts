import type { HttpResponse } from "../http-message.ts";

/**
 * Returns the query of the next page from `Link: <…>; rel="next"`; null when the answer has no such link. The host
 * and path of the link are ignored: the next page has the path of this one, and a proxy may have written
 * another host. The pattern stops at each `<`, so that a header full of them takes no longer than any other.
 */
export function linkQuery(response: HttpResponse): string | null {
  const target = /<([^<>]*)>\s*;[^,<]*\brel="?next"?/i.exec(
    response.list("link") ?? "",
  )?.[1];
  if (target === undefined || !URL.canParse(target, response.url.href)) return null;
  return new URL(target, response.url).search;
}
