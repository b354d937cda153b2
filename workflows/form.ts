import { patched } from "@temporalio/workflow";
import { FORM } from "./contract.ts";

/**
 * Whether the run began with code that has this change: its form says so (FORM), or for a run from before
 * form 2, Temporal's `patched`.
 */
export const isSince = (
  { form = 0 }: { form?: number | undefined },
  change: "plan-at-once" | "cut-across-objects" | "isolate-batches",
): boolean => form >= FORM || patched(change);
