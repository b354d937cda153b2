import type { Limits } from "./limits.ts";
import { createMeter } from "./meter.ts";

/** What a document that is not valid JSON is read as; no JSON has this value. */
export const NOT_JSON = undefined;

type Decode = (bytes: Uint8Array) => string;

/**
 * Parses JSON from outside; the limits bound what it may become. Returns NOT_JSON for a document that is not valid;
 * throws OverLimit. `decode`: how its bytes become text; bytes that it refuses are not JSON.
 */
export function parseJson(
  document: Uint8Array | string,
  limits: Limits,
  decode: Decode = utf8,
): unknown {
  const bytes = typeof document === "string" ? Buffer.from(document) : document;
  createMeter(limits).feed(bytes);
  return parsed(bytes, decode);
}

/** Parses JSON as `parseJson` does; a document beyond its limits is NOT_JSON, too. */
export function jsonIfAny(document: Uint8Array | string, limits: Limits): unknown {
  try {
    return parseJson(document, limits);
  } catch {
    return NOT_JSON;
  }
}

/** Reads a document and parses it as `parseJson` does; a document beyond its limits is refused while it comes. */
export async function readJson(
  body: AsyncIterable<Uint8Array>,
  limits: Limits,
): Promise<unknown> {
  const meter = createMeter(limits);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) {
    meter.feed(chunk);
    chunks.push(chunk);
  }
  return parsed(Buffer.concat(chunks), utf8);
}

function parsed(bytes: Uint8Array, decode: Decode): unknown {
  try {
    return JSON.parse(decode(bytes));
  } catch {
    return NOT_JSON;
  }
}

const utf8: Decode = ({ buffer, byteOffset, byteLength }) =>
  Buffer.from(buffer, byteOffset, byteLength).toString("utf8");

/** Decodes UTF-8 that must be valid, without a byte order mark: JSON must not have one (RFC 8259 §8.1). */
export const strictUtf8: Decode = (bytes) =>
  new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
