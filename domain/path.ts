import { text, TextError } from "./text.ts";

/** A path that is not allowed; `text` says what is wrong with it. */
export class PathError extends TextError {
  override readonly name = "PathError";
}

/** Maximum length of a path, in characters. */
const MAX_PATH = 1024;
/** Maximum length of one segment of a path, in characters. */
const MAX_SEGMENT = 255;

/** Characters that no path may have: control characters and halves of surrogate pairs. */
const UNFIT = /[\p{Cc}\p{Cs}]/u;
/**
 * A `.` that is percent-encoded, once or repeatedly: a program that decodes a path twice must not be led
 * out of the store.
 */
const ENCODED_DOT = /%(?:25)*2e/gi;

const shown = (segment: string) => JSON.stringify([...segment].slice(0, 60).join(""));

function checkSegment(segment: string): void {
  if (segment === "")
    throw new PathError(
      text(
        "the path has an empty segment: write one slash between names, and none at the end",
        "路径含有空段：名称之间只写一个斜杠，末尾不写斜杠",
      ),
    );
  const plain = segment.replaceAll(ENCODED_DOT, ".");
  if (plain === "." || plain === "..")
    throw new PathError(
      text(
        `the path has the segment ${shown(segment)}: write it without . and ..`,
        `路径含有段 ${shown(segment)}：不能使用 . 和 ..`,
      ),
    );
  if (UNFIT.test(segment))
    throw new PathError(
      text(
        `the segment ${shown(segment)} has a control character`,
        `路径段 ${shown(segment)} 含有控制字符`,
      ),
    );
  if (segment.includes("/") || segment.includes("\\"))
    throw new PathError(
      text(
        `the segment ${shown(segment)} has a slash or backslash`,
        `路径段 ${shown(segment)} 含有斜杠或反斜杠`,
      ),
    );
  if ([...segment].length > MAX_SEGMENT)
    throw new PathError(
      text(
        `the segment ${shown(segment)}… is longer than ${MAX_SEGMENT} characters`,
        `路径段 ${shown(segment)}… 超过 ${MAX_SEGMENT} 个字符`,
      ),
    );
}

function assemble(segments: string[]): string {
  for (const segment of segments) checkSegment(segment);
  const path = `/${segments.join("/")}`;
  if ([...path].length > MAX_PATH)
    throw new PathError(
      text(
        `the path is longer than ${MAX_PATH} characters`,
        `路径超过 ${MAX_PATH} 个字符`,
      ),
    );
  return path;
}

/**
 * Splits a path into segments. With `folder`, one slash at the end is dropped, and "" and "/" give no
 * segments. Without it, such paths get an empty segment, which `checkSegment` refuses.
 */
function split(path: string, folder: boolean): string[] {
  const bare = path.startsWith("/") ? path.slice(1) : path;
  if (!folder) return bare.split("/");
  return bare === "" ? [] : (bare.endsWith("/") ? bare.slice(0, -1) : bare).split("/");
}

/**
 * Returns the full path ("/a/b"; the root is "/") of a path as a person writes it. With `folder`, "", "/"
 * and a slash at the end are allowed. Throws PathError for a path that is not allowed.
 */
export function parsePath(path: string, { folder = false } = {}): string {
  return assemble(split(path, folder));
}

/**
 * Returns the full path that the path of a URL denotes. Each segment is decoded on its own, so `%2F` never
 * becomes a separator. Throws PathError for a path that is not allowed.
 */
export function parseUrlPath(path: string, { folder = false } = {}): string {
  return assemble(split(path, folder).map(decode));
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw new PathError(
      text(
        `the segment ${shown(segment)} is not percent-encoded UTF-8`,
        `路径段 ${shown(segment)} 不是百分号编码的 UTF-8`,
      ),
      { cause: error },
    );
  }
}

export const nameOf = (fullPath: string): string =>
  fullPath.slice(fullPath.lastIndexOf("/") + 1);

/** Returns the folder that contains a full path: "/" for "/a". */
export const parentOf = (fullPath: string): string =>
  fullPath.slice(0, Math.max(1, fullPath.lastIndexOf("/")));

/** Returns all folders above a path, the outermost first, without the root. */
export function foldersAbove(fullPath: string): string[] {
  const folders: string[] = [];
  for (let at = fullPath.indexOf("/", 1); at > 0; at = fullPath.indexOf("/", at + 1))
    folders.push(fullPath.slice(0, at));
  return folders;
}
