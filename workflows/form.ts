import { patched } from "@temporalio/workflow";
import { FORM } from "./contract.ts";

/** Whether the run does what came with this change: see FORM. */
export const isSince = (
  { form = 0 }: { form?: number | undefined },
  change: "plan-at-once" | "cut-across-objects" | "isolate-batches",
): boolean => form >= FORM || patched(change);
