/**
 * Headers of the HTML pages. Scripts are forbidden, because the browser may be logged in here with Basic
 * (docs/decisions.md#pages-for-browsers).
 */
export const PAGE_HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
};
