import { elapsed } from "../../domain/elapsed.ts";

/** A body came so slowly that the end could hold its reader for days; `minRate`: the slowest rate (bytes/s). */
export class TooSlow extends Error {
  override readonly name = "TooSlow";
  readonly minRate: number;

  constructor(minRate: number) {
    super(`less than ${minRate} bytes per second`);
    this.minRate = minRate;
  }
}

/**
 * Passes a body on, and throws TooSlow when less than `minRate` bytes per second of it come over `windowMs` of waiting.
 * Only the time counts in which the reader waited for bytes: a reader that is slow itself, as under a rate limit, is no
 * fault of the end.
 */
export async function* notSlower<T extends Uint8Array>(
  body: AsyncIterable<T>,
  minRate: number,
  windowMs: number,
): AsyncGenerator<T, void, undefined> {
  let waited = 0;
  let bytes = 0;
  let asked = elapsed();
  for await (const chunk of body) {
    waited += elapsed() - asked;
    bytes += chunk.length;
    if (waited >= windowMs) {
      if (bytes * 1000 < minRate * waited) throw new TooSlow(minRate);
      waited = 0;
      bytes = 0;
    }
    yield chunk;
    asked = elapsed();
  }
}
