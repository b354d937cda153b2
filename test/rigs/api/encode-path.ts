/** Returns the path as it is written in a URL: each segment is percent-encoded. */
export const encodePath = (fullPath: string): string =>
  fullPath.split("/").map(encodeURIComponent).join("/");
