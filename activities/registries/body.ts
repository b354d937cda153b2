import { unlessAborted } from "./unless-aborted.ts";

/**
 * A body whose first piece has arrived, or that is empty. `drop` closes the source of the body; call it when
 * nobody reads the body.
 */
export type BegunBody = { pieces: AsyncIterable<Uint8Array>; drop: () => void };

/**
 * Waits for the first piece of a body, before the request takes a connection. The first piece may take
 * long (slow source, rate limit), and servers close connections that are idle for seconds.
 */
export async function begun(
  body: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<BegunBody> {
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

async function* joined<T>(
  first: IteratorResult<T>,
  rest: AsyncIterator<T>,
): AsyncGenerator<T, void, undefined> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/**
 * Splits `chunk` into the pieces that `throttle` allows. Bytes flow steadily, so no connection is idle while one large
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

/**
 * Passes a body through at the allowed rate: each piece waits for `throttle`, and `onSent` gets its length once
 * the reader of the body has taken it.
 */
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
