import { patched } from "@temporalio/workflow";
import { FORM } from "./contract.ts";

/** Whether the run began with code that has this change (see FORM). */
export const isSince = (
  { form = 0 }: { form?: number | undefined },
  change: "plan-at-once" | "cut-across-objects" | "isolate-batches",
): boolean => form >= FORM || patched(change);
