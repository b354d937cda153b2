import { ActivityCancellationType, type ActivityOptions } from "@temporalio/workflow";

/** Timeouts, retries and limits of the workflows (docs/decisions.md#timeouts). */

/**
 * Options of activities that change state in the control plane: they are quick or heartbeat, can be
 * repeated, and are retried until the control plane is back. An activity of a control plane that was killed
 * is retried after the heartbeat timeout at the latest.
 */
export const CONTROL: ActivityOptions = {
  startToCloseTimeout: "10 minutes",
  heartbeatTimeout: "15 seconds",
  retry: { initialInterval: "500 milliseconds", maximumInterval: "10 seconds" },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
};

/**
 * Options of planning all objects of a run, for which each attempt has up to a day; an attempt goes on
 * where the last one ended.
 */
export const PLANNING: ActivityOptions = { ...CONTROL, startToCloseTimeout: "1 day" };

/**
 * Options of activities of transfer workers: each may take 7 days while heartbeats arrive. One that fails,
 * or whose worker dies or stops, is tried again, 30 times in all.
 */
export const TRANSFER: ActivityOptions = {
  startToCloseTimeout: "7 days",
  heartbeatTimeout: "30 seconds",
  retry: {
    initialInterval: "500 milliseconds",
    maximumInterval: "10 seconds",
    maximumAttempts: 30,
  },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/**
 * Options of sending a batch. Temporal never retries it: the workflow does, and counts the deaths of
 * workers.
 */
export const ONE_TRY: ActivityOptions = { ...TRANSFER, retry: { maximumAttempts: 1 } };

/**
 * Maximum number of batches in flight at once in a targetRun whose artifacts are heavy (domain/weight.ts),
 * and in the first cut of a drain for one target.
 */
export const WINDOW = 4;
/**
 * Maximum number of batches of light artifacts (domain/weight.ts) that one targetRun has in flight at once:
 * they are short, and no slot should wait for the next cut.
 */
export const FILES_WINDOW = 8;
/**
 * Maximum number of batches that a targetRun has in flight after a batch of which every artifact has to be
 * tried again.
 */
export const PROBE = 1;
/** Maximum number of linked objects that a run lists at once. */
export const PLANS = 8;
/** Events in a history after which a run continues as new between planning and sending. */
export const LONGEST_PLAN = 1_000;
/** Maximum number of children that one taskRun has at once. */
export const CHILDREN = 300;
/**
 * Longest wait (ms) before a targetRun looks again for due artifacts, so that a wrong clock cannot stall
 * it.
 */
export const LONGEST_WAIT_MS = 120_000;
/**
 * Longest time (ms) for which a registry may postpone its listing (docs/decisions.md#retry). Only this wait
 * keeps the listing from being retried too early.
 */
export const LONGEST_RETRY_AFTER_MS = 600_000;
/**
 * Shortest wait (ms) of a run for something that is due: if the clocks of the control plane and of Temporal
 * differ, looking more often would only fill the history.
 */
export const SHORTEST_WAIT_MS = 500;
/**
 * How long (ms) a realTimeRun waits for a signal before it ends; the next upload starts the workflow again.
 */
export const QUIET_MS = 600_000;
/**
 * A drain takes in new changes until its workflow's history has this many events; soon after that
 * Temporal's server warns.
 */
export const LONGEST_HISTORY = 10_000;
