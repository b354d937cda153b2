import type { BatchResult } from "../transfer/batch.ts";

/** Messages that a process for one batch sends to the worker that started it. */
export type AloneMessage =
  | { type: "alive" }
  | { type: "done"; result: BatchResult }
  | { type: "failed"; reason: string }
  /** The control plane does not admit this worker. */
  | { type: "refused"; reason: string };
