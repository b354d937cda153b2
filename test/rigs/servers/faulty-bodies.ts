import { Transform, type TransformCallback, type Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** Lets `limit` bytes pass, then neither more bytes nor the end of the body; calls `full` then. */
export function staller(
  limit: number,
  full: (stalled: Transform) => void = () => undefined,
): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const left = limit - passed;
      passed += chunk.length;
      if (passed < limit) return done(null, chunk);
      this.push(chunk.subarray(0, Math.max(0, left)));
      full(this);
    },
  });
}

/** Lets `limit` bytes pass to `next`, waits until the system has taken them all, then calls `cut`. */
export const cutter = (limit: number, next: Writable, cut: () => void): Transform =>
  staller(limit, (stalled) => {
    const waiting = setInterval(() => {
      const left = stalled.readableLength + next.writableLength;
      if (left > 0 && !next.destroyed) return;
      clearInterval(waiting);
      cut();
    }, 10);
  });

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
