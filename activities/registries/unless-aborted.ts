import { stopOf, TransferError } from "../../domain/failure.ts";

export function throwIfStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw stopOf(signal);
}

/**
 * Waits for shared work; throws "cancelled" when the signal fires. The work itself gets no signal,
 * since it continues for others that wait for it.
 */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return work;
  const waiting = new AbortController();
  const aborted = new Promise<never>((_resolve, reject) => {
    const stop = () => reject(new TransferError("cancelled", stopOf(signal).message));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true, signal: waiting.signal });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    waiting.abort();
  }
}
