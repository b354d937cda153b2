/**
 * The part of a content that a request wants: the whole, a range (both ends included), or a range
 * outside of the content.
 */
type Wanted = { start: number; end: number } | "whole" | "unsatisfiable";

const RANGE = /^bytes=(\d{0,15})-(\d{0,15})$/;

/**
 * Parses a Range header with one range (RFC 9110 §14). Several ranges, other units and invalid
 * headers select the whole content, as the RFC allows.
 */
export function parseRange(header: string | undefined, size: number): Wanted {
  const [, from = "", to = ""] = RANGE.exec(header?.replaceAll(/\s/g, "") ?? "") ?? [];
  if (from === "" && to === "") return "whole";
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(from);
  const end = Math.min(to === "" ? size - 1 : Number(to), size - 1);
  if (to !== "" && Number(to) < start) return "whole";
  return start >= size ? "unsatisfiable" : { start, end };
}

/** Whether an If-None-Match header matches the ETag; `*` matches every ETag. */
export function matchesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const given = header
    .split(",")
    .map((each) => each.trim().replace(/^W\//, "").replaceAll('"', ""));
  return given.includes("*") || given.includes(tag);
}

/**
 * Whether an If-Range header allows the range: it is absent, or has the same strong ETag or exactly
 * the same date.
 */
export function rangeHolds(
  header: string | undefined,
  tag: string,
  lastModified: string,
): boolean {
  return (
    header === undefined ||
    header === `"${tag}"` ||
    header === tag ||
    header === lastModified
  );
}
