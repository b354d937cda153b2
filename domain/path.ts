/** A path that no file may have; `message` says which part is wrong and why. */
export class PathError extends Error {
  override readonly name = "PathError";
}

/** Maximum lengths of a path and of one segment, in characters. */
const MAX_PATH = 1024;
const MAX_SEGMENT = 255;

/** Characters that no path may have: control characters and halves of surrogate pairs. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;
/** A `.`, also one that is percent-encoded repeatedly: a reader that decodes twice must not leave the store. */
const ENCODED_DOT = /%(?:25)*2e/gi;

const shown = (text: string) => JSON.stringify([...text].slice(0, 60).join(""));

function checkSegment(segment: string): void {
  if (segment === "")
    throw new PathError(
      "the path has an empty segment: write one slash between names, and none at the end",
    );
  const plain = segment.replaceAll(ENCODED_DOT, ".");
  if (plain === "." || plain === "..")
    throw new PathError(
      `the path has the segment ${shown(segment)}: write it without . and ..`,
    );
  if (UNFIT.test(segment))
    throw new PathError(`the segment ${shown(segment)} has a control character`);
  if (segment.includes("/") || segment.includes("\\"))
    throw new PathError(`the segment ${shown(segment)} has a slash or backslash`);
  if ([...segment].length > MAX_SEGMENT)
    throw new PathError(
      `the segment ${shown(segment)}… is longer than ${MAX_SEGMENT} characters`,
    );
}

function assemble(segments: string[]): string {
  for (const segment of segments) checkSegment(segment);
  const path = `/${segments.join("/")}`;
  if ([...path].length > MAX_PATH)
    throw new PathError(`the path is longer than ${MAX_PATH} characters`);
  return path;
}

/**
 * Splits a path into segments. Only the path of a folder may end with a slash, and only that of the root
 * may be empty.
 */
function split(path: string, folder: boolean): string[] {
  const bare = path.startsWith("/") ? path.slice(1) : path;
  if (!folder) return bare.split("/");
  return bare === "" ? [] : (bare.endsWith("/") ? bare.slice(0, -1) : bare).split("/");
}

/**
 * Returns the full path ("/a/b"; the root is "/") of a path as a person writes it. With `folder`, "", "/" and a slash
 * at the end are allowed. Throws PathError.
 */
export function parsePath(path: string, { folder = false } = {}): string {
  return assemble(split(path, folder));
}

/**
 * Returns the full path that the path of a URL denotes: each segment is decoded on its own, so that `%2F`
 * never becomes a separator. Throws PathError.
 */
export function parseUrlPath(path: string, { folder = false } = {}): string {
  return assemble(split(path, folder).map(decode));
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new PathError(`the segment ${shown(segment)} is not percent-encoded UTF-8`, {
      cause: error,
    });
  }
}

export const nameOf = (fullPath: string): string =>
  fullPath.slice(fullPath.lastIndexOf("/") + 1);

/** The folder that contains a full path: "/" for "/a". */
export const parentOf = (fullPath: string): string =>
  fullPath.slice(0, Math.max(1, fullPath.lastIndexOf("/")));

/** All folders above a path, the outermost first, without the root. */
export function foldersAbove(fullPath: string): string[] {
  const folders: string[] = [];
  for (let at = fullPath.indexOf("/", 1); at > 0; at = fullPath.indexOf("/", at + 1))
    folders.push(fullPath.slice(0, at));
  return folders;
}
