import { ActivityCancellationType, type ActivityOptions } from "@temporalio/workflow";

/** The numbers of the story: every timeout and retry of a run (docs/decisions.md#timeouts). */

/**
 * State changes in the control plane: quick or heartbeating, repeatable, tried until it is back. A killed control plane
 * costs a run at most the heartbeat timeout.
 */
export const CONTROL: ActivityOptions = {
  startToCloseTimeout: "10 minutes",
  heartbeatTimeout: "15 seconds",
  retry: { initialInterval: "500 milliseconds", maximumInterval: "10 seconds" },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
};

/** Planning all objects of a run: as long as it takes; each attempt goes on where the last one came. */
export const PLANNING: ActivityOptions = { ...CONTROL, startToCloseTimeout: "1 day" };

/** Moving bytes: as long as it takes while heartbeats come; tried again only when its worker died or stopped. */
export const TRANSFER: ActivityOptions = {
  startToCloseTimeout: "7 days",
  heartbeatTimeout: "30 seconds",
  retry: { initialInterval: "500 milliseconds", maximumInterval: "10 seconds", maximumAttempts: 30 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** A batch whose worker dies is tried again by its workflow, which counts the deaths. */
export const ONE_TRY: ActivityOptions = { ...TRANSFER, retry: { maximumAttempts: 1 } };

/** Batches of one cluster in flight at once. */
export const WINDOW = 4;
/**
 * The same of batches of files and of packages made of them: they are short, and none shall wait for the next to be
 * cut.
 */
export const FILES_WINDOW = 8;
/** The same for a cluster where a whole batch came back to be tried again. */
export const PROBE = 1;
/** Linked objects listed at once. */
export const PLANS = 8;
/** A run whose plan took so many events goes on as new before it sends. */
export const LONGEST_PLAN = 1_000;
/** Children of a run at once. */
export const CHILDREN = 300;
/** Longest wait before a look at what is due, so that a wrong clock cannot stall a run. */
export const LONGEST_WAIT_MS = 120_000;
/**
 * Longest that a registry may put off its listing (docs/decisions.md#retry); nothing but this wait keeps the listing
 * from being tried too early.
 */
export const LONGEST_RETRY_AFTER_MS = 600_000;
/**
 * Shortest wait: when the clocks of the control plane and of Temporal differ, looking more often only fills the
 * history.
 */
export const SHORTEST_WAIT_MS = 500;
/** How long a realTimeRun waits for the bell before it ends; the next ring starts it anew. */
export const QUIET_MS = 600_000;
/**
 * A drain takes in what happens meanwhile until its history has so many events, of which the server warns soon after.
 */
export const LONGEST_HISTORY = 10_000;
