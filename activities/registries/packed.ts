import { constants, gunzipSync, inflateRawSync } from "node:zlib";
import type { Budget } from "./budget.ts";

const GZIP = Buffer.from([0x1f, 0x8b, 0x08]);
const ZLIB = 0x78;
/** Second bytes of zlib's header, by level (RFC 1950). */
const LEVELS: ReadonlySet<number | undefined> = new Set([0x01, 0x5e, 0x9c, 0xda]);
const ZLIB_HEADER = 2;

type Unpack = typeof gunzipSync;
/** What may be packed: its first byte, and what unpacks it. */
type Place = { at: number; unpack: Unpack };

/**
 * Returns the contents of what is packed in `bytes` by gzip or zlib, or by deflate from the first byte if `isStart`;
 * null when the budget is too small for it, or when something is packed but damaged.
 */
export function unpacked(
  bytes: Buffer,
  isStart: boolean,
  budget: Budget,
): Buffer[] | null {
  const contents: Buffer[] = [];
  for (const { at, unpack } of placesIn(bytes, isStart)) {
    if (budget.bytes <= 0 || budget.tries <= 0) return null;
    budget.tries -= 1;
    const content = tried(bytes.subarray(at), unpack, budget.bytes);
    if (content === "longer") budget.bytes = 0;
    if (content === "longer" || (content === "damaged" && unpack === gunzipSync))
      return null;
    if (content === "damaged") continue;
    budget.bytes -= content.length;
    contents.push(content);
  }
  return contents;
}

function* placesIn(bytes: Buffer, isStart: boolean): Generator<Place> {
  for (let at = bytes.indexOf(GZIP); at >= 0; at = bytes.indexOf(GZIP, at + 1))
    yield { at, unpack: gunzipSync };
  for (let at = bytes.indexOf(ZLIB); at >= 0; at = bytes.indexOf(ZLIB, at + 1))
    if (LEVELS.has(bytes[at + 1])) yield { at: at + ZLIB_HEADER, unpack: inflateRawSync };
  if (isStart && mayBeDeflate(bytes)) yield { at: 0, unpack: inflateRawSync };
}

/** Whether bytes may begin with a block of deflate (RFC 1951 §3.2.3 to 3.2.7); half of all others are told from it. */
function mayBeDeflate(bytes: Buffer): boolean {
  const [first = 0, second = 0] = bytes;
  switch ((first >> 1) & 3) {
    case 0:
      return (
        bytes.length > 4 && (bytes.readUInt16LE(1) ^ bytes.readUInt16LE(3)) === 0xffff
      );
    case 2:
      return first >> 3 <= 29 && (second & 0x1f) <= 29;
    case 3:
      return false;
    default:
      return true;
  }
}

function tried(
  bytes: Buffer,
  unpack: Unpack,
  most: number,
): Buffer | "longer" | "damaged" {
  try {
    // A message may have cut the end off.
    const finishFlush = constants.Z_SYNC_FLUSH;
    return unpack(bytes, { maxOutputLength: most, finishFlush });
  } catch (error) {
    return error instanceof RangeError ? "longer" : "damaged";
  }
}
