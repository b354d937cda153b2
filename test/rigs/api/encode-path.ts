/** The path for a URL: each segment percent-encoded. */
export const encodePath = (fullPath: string): string =>
  fullPath.split("/").map(encodeURIComponent).join("/");
