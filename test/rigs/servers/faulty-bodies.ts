import { Transform, type TransformCallback } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** Lets `limit` bytes pass, waits until they have been sent, then calls `cut`. */
export function cutter(limit: number, cut: () => void): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const left = limit - passed;
      passed += chunk.length;
      if (passed < limit) return done(null, chunk);
      this.push(chunk.subarray(0, Math.max(0, left)));
      setTimeout(cut, 100);
    },
  });
}

/** Lets `limit` bytes pass, then neither more bytes nor the end of the body. */
export const staller = (limit: number): Transform => cutter(limit, () => undefined);

/** Lets a body pass in pieces of `bytes`, one every `everyMs` ms. */
export function dripper(bytes: number, everyMs: number): Transform {
  return new Transform({
    async transform(chunk: Buffer, _encoding, done: TransformCallback) {
      for (let at = 0; at < chunk.length && !this.destroyed; at += bytes) {
        await sleep(everyMs);
        this.push(chunk.subarray(at, at + bytes));
      }
      done();
    },
  });
}

const PIECE = Buffer.alloc(256 * 1024, "The same piece of a large body, over and over. ");

/** Generates `size` bytes piece by piece, without holding them in memory. */
export async function* largeBody(
  size: number,
  offset = 0,
): AsyncGenerator<Buffer, void, undefined> {
  for (let at = offset; at < size;) {
    const from = at % PIECE.length;
    const piece = PIECE.subarray(from, Math.min(PIECE.length, from + size - at));
    at += piece.length;
    yield piece;
  }
}

export async function readWhole(body: AsyncIterable<unknown>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
