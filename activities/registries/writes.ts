import { AsyncLocalStorage } from "node:async_hooks";

/**
 * Knows of each attempt to send something whether a request of it may have changed anything at the target. A request
 * does not say for which artifact it is sent, so an attempt is the asynchronous context in which it runs.
 */

type Attempt = { wrote: boolean; within: Attempt | undefined };

const attempts = new AsyncLocalStorage<Attempt>();

/** Methods of requests that change nothing (RFC 9110 §9.2.1; PROPFIND: RFC 4918 §9.1). */
const SAFE = new Set(["GET", "HEAD", "OPTIONS", "PROPFIND"]);

/** Runs `work` as one attempt. An attempt inside another one counts for both. */
export function watchWrites<T>(work: () => T): T {
  return attempts.run({ wrote: false, within: attempts.getStore() }, work);
}

/** Whether a request of the present attempt may have changed something; true outside of an attempt. */
export function hasWritten(): boolean {
  return attempts.getStore()?.wrote ?? true;
}

/**
 * Notes that a request reached a server. `status`: the answer's; null: the answer is unknown. A refusal (4xx) has
 * changed nothing.
 */
export function noteReached(method: string, status: number | null): void {
  if (SAFE.has(method) || (status !== null && status >= 400 && status < 500)) return;
  for (let attempt = attempts.getStore(); attempt; attempt = attempt.within)
    attempt.wrote = true;
}
