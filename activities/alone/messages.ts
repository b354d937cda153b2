import type { BatchResult } from "../transfer/batch.ts";

/** What a process that has one batch says to the worker that started it. */
export type AloneMessage =
  { type: "alive" } | { type: "done"; result: BatchResult } | { type: "failed"; reason: string };
