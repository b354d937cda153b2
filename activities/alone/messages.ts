import type { BatchResult } from "../transfer/batch.ts";

/** Messages of a process that handles one batch to the worker that started it. */
export type AloneMessage =
  | { type: "alive" }
  | { type: "done"; result: BatchResult }
  | { type: "failed"; reason: string };
