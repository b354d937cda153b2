import { setTimeout as sleep } from "node:timers/promises";
import { text } from "../../domain/text.ts";
import { ApiError } from "./errors.ts";

/**
 * How long a declaration waits for contents to be read. Digests that are computed later are
 * remembered as well, and the sender tries again.
 */
const MOST_WAIT_MS = 20_000;
const RETRY_AFTER_S = 1;
const STILL_READING = text(
  "only if this lasts; contents are still being compared: send the same request again after Retry-After seconds",
  "仅在持续出现时需要；内容仍在比较中：请在 Retry-After 秒后重新发送同一请求",
);

/**
 * A time limit shared by several pieces of work. `until` waits for one and throws 503 when the
 * limit has passed; `over` stops the timer.
 */
export type Patience = { until: <T>(work: Promise<T>) => Promise<T>; over: () => void };

/**
 * Starts a time limit of MOST_WAIT_MS for several pieces of work. Work that is late continues, and
 * nobody waits for it.
 */
export function waitAtMost(): Patience {
  const ended = new AbortController();
  const late = sleep(MOST_WAIT_MS, undefined, { signal: ended.signal }).then(() => {
    throw new ApiError([250102, STILL_READING], {
      status: 503,
      headers: { "retry-after": String(RETRY_AFTER_S) },
    });
  });
  late.catch(() => undefined);
  return { until: (work) => Promise.race([work, late]), over: () => ended.abort() };
}
