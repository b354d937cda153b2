import { type Limits, OverLimit } from "./limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const [COMMA, COLON] = [0x2c, 0x3a];

/** Where the document stands: outside of strings, in one, or in one right after a backslash. */
const [PLAIN, STRING, ESCAPED] = [0, 1, 2];

type Meter = {
  /** Counts the next bytes of the document; throws OverLimit as soon as it has more than its limits allow. */
  feed: (bytes: Uint8Array) => void;
};

/**
 * Counts what JSON has while it comes, so that a document beyond its limits is refused before anything is made of it.
 * Whether the document is valid is not judged: a parser does that afterwards.
 */
export function createMeter(limits: Limits): Meter {
  const count = { bytes: 0, tokens: 1, depth: 0, state: PLAIN };
  return {
    feed(chunk) {
      count.bytes += chunk.length;
      if (count.bytes > limits.bytes) throw new OverLimit("bytes", limits.bytes);
      let { tokens, depth, state } = count;
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at];
        if (state === STRING) {
          if (byte === QUOTE) state = PLAIN;
          else if (byte === BACKSLASH) state = ESCAPED;
        } else if (state === ESCAPED) state = STRING;
        else if (byte === QUOTE) state = STRING;
        else if (byte === COMMA || byte === COLON) tokens += 1;
        else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
          tokens += 1;
          depth += 1;
          if (depth > limits.depth) throw new OverLimit("depth", limits.depth);
        } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
      }
      if (tokens > limits.tokens) throw new OverLimit("tokens", limits.tokens);
      Object.assign(count, { tokens, depth, state });
    },
  };
}
