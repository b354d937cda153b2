import { unlessAborted } from "./unless-aborted.ts";

/** A body whose first piece is here; `drop` ends what it is read from, should nobody read it. */
export type BegunBody = { pieces: AsyncIterable<Uint8Array>; drop: () => void };

/**
 * Waits for the first piece of a body. A request takes a connection before it asks for its body and sends nothing until
 * there is some; servers end connections that lie idle for seconds, and a body may wait for longer than that (for its
 * source, or for the rate limit).
 */
export async function begun(body: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): Promise<BegunBody> {
  const rest = body[Symbol.asyncIterator]();
  const drop = () => void Promise.resolve(rest.return?.()).catch(() => undefined);
  const reading = rest.next();
  try {
    const first = await unlessAborted(reading, signal);
    return { pieces: joined(first, rest), drop };
  } catch (error) {
    reading.catch(() => undefined);
    drop();
    throw error;
  }
}

async function* joined<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T, void, undefined> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/**
 * `chunk` in such pieces as `throttle` lets pass: bytes flow steadily, and no connection lies idle while one large
 * piece waits.
 */
export async function* paced<T extends Uint8Array>(
  chunk: T,
  throttle: (bytes: number) => Promise<number>,
): AsyncGenerator<T, void, undefined> {
  for (let at = 0; at < chunk.length;) {
    const length = await throttle(chunk.length - at);
    yield chunk.subarray(at, at + length) as T;
    at += length;
  }
}

/** A body on its way to the target: its bytes wait for the rate limit before, and `onSent` counts them after. */
export async function* metered<T extends Uint8Array>(
  body: Iterable<T> | AsyncIterable<T>,
  throttle: (bytes: number) => Promise<number>,
  onSent: (bytes: number) => void,
): AsyncGenerator<T, void, undefined> {
  for await (const chunk of body) {
    for await (const piece of paced(chunk, throttle)) {
      yield piece;
      onSent(piece.length);
    }
  }
}
