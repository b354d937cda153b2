import type { HttpResponse } from "../http-message.ts";

/** The query of `Link: <…>; rel="next"`; its path is the one that was asked, whatever host a proxy wrote into it. */
export function linkQuery(response: HttpResponse): string | null {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(response.list("link") ?? "")?.[1];
  if (target === undefined || !URL.canParse(target, response.url.href)) return null;
  return new URL(target, response.url).search;
}
