import { ActivityCancellationType, type ActivityOptions } from "@temporalio/workflow";

/** The numbers of the workflows: every timeout, retry and limit of a run (docs/decisions.md#timeouts). */

/**
 * Options of activities that change state in the control plane: they are quick or heartbeat, can be
 * repeated, and are retried until the control plane is back. A killed control plane delays a run by at most
 * the heartbeat timeout.
 */
export const CONTROL: ActivityOptions = {
  startToCloseTimeout: "10 minutes",
  heartbeatTimeout: "15 seconds",
  retry: { initialInterval: "500 milliseconds", maximumInterval: "10 seconds" },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
};

/**
 * Options of planning all objects of a run, which takes as long as it needs; each attempt goes on where the
 * last one ended.
 */
export const PLANNING: ActivityOptions = { ...CONTROL, startToCloseTimeout: "1 day" };

/**
 * Options of activities that move bytes: each takes as long as it needs while heartbeats arrive, and is
 * retried only when its worker died or stopped.
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
 * Options of sending a batch. Temporal does not retry it when its worker died: the workflow does, and
 * counts the deaths.
 */
export const ONE_TRY: ActivityOptions = { ...TRANSFER, retry: { maximumAttempts: 1 } };

/** Maximum number of batches of one cluster in flight at once. */
export const WINDOW = 4;
/**
 * Maximum number of batches of files, and of packages made of files, in flight at once for one cluster:
 * they are short, and none should wait for the next cut.
 */
export const FILES_WINDOW = 8;
/**
 * Maximum number of batches in flight at once for a cluster that returned a whole batch to be tried again.
 */
export const PROBE = 1;
/** Maximum number of linked objects that a run lists at once. */
export const PLANS = 8;
/** Events in a history after which a run continues as new between planning and sending. */
export const LONGEST_PLAN = 1_000;
/** Maximum number of children of one run at once. */
export const CHILDREN = 300;
/** Longest wait before looking again for due artifacts, so that a wrong clock cannot stall a run. */
export const LONGEST_WAIT_MS = 120_000;
/**
 * Longest time for which a registry may postpone its listing (docs/decisions.md#retry). Only this wait keeps the
 * listing from being retried too early.
 */
export const LONGEST_RETRY_AFTER_MS = 600_000;
/**
 * Shortest wait: if the clocks of the control plane and of Temporal differ, looking more often would only
 * fill the history.
 */
export const SHORTEST_WAIT_MS = 500;
/**
 * How long (ms) a realTimeRun waits for a signal before it ends; the next upload starts the workflow again.
 */
export const QUIET_MS = 600_000;
/** A drain records new changes until its history has this many events; soon after that the server warns. */
export const LONGEST_HISTORY = 10_000;
