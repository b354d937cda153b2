import { isMd5, isSha256 } from "../../activities/store/layout.ts";
import { text } from "../../domain/text.ts";
import { fail } from "./errors.ts";

/** The options of an upload, as its headers give them. */
export type UploadWishes = {
  sha256: string | undefined;
  md5: string | undefined;
  overwrite: boolean;
  /** Days after which the file expires; 0 = never. */
  expires: number;
  metadata: Record<string, string>;
};

const META = "x-bkrepo-meta";
const MOST_DAYS = 36_500;

/**
 * Headers of uploads in pieces, which the original product offers and this one refuses: stored as
 * whole files, the pieces would overwrite each other.
 */
const PIECES = [
  "Content-Range",
  "X-BKREPO-UPLOAD-ID",
  "X-BKREPO-SEQUENCE",
  "X-BKREPO-UPLOAD-TYPE",
  "X-BKREPO-OFFSET",
];

/**
 * Reads the X-BKREPO-… headers of an upload. Throws 250105 for an invalid one, 250112 for an upload
 * in pieces.
 */
export function readWishes(headers: Headers): UploadWishes {
  const piece = PIECES.find((name) => headers.has(name));
  if (piece !== undefined)
    fail(
      250112,
      text(
        `${piece}: uploads in pieces are not supported: send the whole file`,
        `${piece}：不支持分片上传：请上传整个文件`,
      ),
    );
  return {
    sha256: digest(headers, "X-BKREPO-SHA256", isSha256, 64),
    md5: digest(headers, "X-BKREPO-MD5", isMd5, 32),
    overwrite: overwrite(headers),
    expires: expires(headers),
    metadata: metadata(headers),
  };
}

function digest(
  headers: Headers,
  name: string,
  isDigest: (text: string) => boolean,
  length: number,
): string | undefined {
  const value = headers.get(name)?.trim().toLowerCase();
  if (!value) return undefined;
  if (isDigest(value)) return value;
  const why = text(`it must be ${length} hex digits`, `必须是 ${length} 位十六进制数字`);
  return fail(250105, name, why);
}

function overwrite(headers: Headers): boolean {
  const value = headers.get("X-BKREPO-OVERWRITE")?.trim().toLowerCase() || "false";
  return value === "true" || value === "false"
    ? value === "true"
    : fail(
        250105,
        "X-BKREPO-OVERWRITE",
        text("it must be true or false", "必须是 true 或 false"),
      );
}

function expires(headers: Headers): number {
  const value = headers.get("X-BKREPO-EXPIRES")?.trim() || "0";
  const days = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  return days <= MOST_DAYS
    ? days
    : fail(
        250105,
        "X-BKREPO-EXPIRES",
        text(
          `it must be a number of days from 0 (never) to ${MOST_DAYS}`,
          `必须是 0（永不过期）到 ${MOST_DAYS} 的天数`,
        ),
      );
}

/**
 * Reads the metadata from the headers of an upload. Keys of single headers are in lower case, since
 * names of headers have no case; the base64 header keeps the case of its keys and wins if both name
 * a key.
 */
function metadata(headers: Headers): Record<string, string> {
  const found: [string, string][] = [];
  for (const [name, value] of headers) {
    const key = name.startsWith(`${META}-`) ? name.slice(META.length + 1) : "";
    if (key !== "") found.push([key, decoded(utf8(value))]);
  }
  const packed = headers.get(META);
  return Object.fromEntries(packed === null ? found : [...found, ...unpack(packed)]);
}

function unpack(packed: string): [string, string][] {
  const encoded = packed.trim();
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(encoded))
    fail(
      250105,
      "X-BKREPO-META",
      text(
        "it must be base64 of key=value&key=value",
        "必须是 key=value&key=value 的 base64 编码",
      ),
    );
  const pairs = Buffer.from(encoded, "base64").toString("utf8").split("&");
  return pairs.flatMap((pair): [string, string][] => {
    const at = pair.indexOf("=");
    const key = decoded(pair.slice(0, Math.max(at, 0)).trim());
    return key === "" ? [] : [[key, decoded(pair.slice(at + 1).trim())]];
  });
}

/** Decodes a value that may be percent-encoded as in forms; any other value stays as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value.replaceAll("+", " "));
  } catch {
    return value;
  }
}

/** Decodes the value of a header, whose bytes arrive as one character each, as UTF-8 if it is valid UTF-8. */
function utf8(value: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}
