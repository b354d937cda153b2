import { artifactOutcome, type Ended } from "../../../../domain/artifact-outcome.ts";
import { TransferError } from "../../../../domain/failure.ts";
import type { ArtifactResult } from "../../../../domain/outcome.ts";
import { type Copy, type Item, labelOf, learned, settle, settleFailure } from "./copy.ts";
import type { Form, Contents, Verdict } from "./statement.ts";

/**
 * Declares artifacts at the target and settles those whose outcome its answer decides. Returns those
 * whose content it needs.
 */
export async function declare(
  copy: Copy,
  form: Form,
  items: Item[],
  contents: Contents,
): Promise<Item[]> {
  const verdicts = await form.declare(copy, items, contents);
  const needing: Item[] = [];
  for (const [at, item] of items.entries()) {
    const verdict = verdicts[at];
    if (verdict?.result === "need") {
      const paths = new Set(verdict.paths);
      item.needs = item.parts.filter(({ path }) => paths.has(path));
      needing.push(item);
    } else if (verdict) settleVerdict(copy, item, verdict);
  }
  return needing;
}

function settleVerdict(
  copy: Copy,
  item: Item,
  verdict: Exclude<Verdict, { result: "need" }>,
): void {
  const parts = item.parts.length;
  const blob: Ended = item.carried ? { success: 1 } : { skip: 1 };
  switch (verdict.result) {
    case "made":
      return end(
        copy,
        item,
        { kind: "sent" },
        { success: verdict.written, skip: parts - verdict.written },
        blob,
      );
    case "replaced":
      return end(
        copy,
        item,
        { kind: "replaced" },
        { success: verdict.written, skip: parts - verdict.written },
        blob,
      );
    case "same":
      // The target has equal content. If an earlier attempt of this execution may have sent it, it
      // counts as sent: the target verified it on arrival.
      return item.mayHaveSent
        ? end(copy, item, { kind: "sent" }, { success: parts })
        : end(copy, item, { kind: "same" }, { skip: parts });
    case "conflict":
      return settleConflict(copy, item, verdict);
    case "refused":
      return settleRefusal(copy, item, verdict);
    case "damaged":
      return settleFailure(copy, item, damagedOnTheWay(copy));
    case "stopped":
      copy.stopped = true;
  }
}

function settleConflict(
  copy: Copy,
  item: Item,
  { path, existing }: Verdict & { result: "conflict" },
): void {
  if (copy.rules.conflictStrategy === "SKIP")
    return end(copy, item, { kind: "skipped" }, { skip: item.parts.length });
  copy.stopped = true;
  const there = item.artifact.version === "" ? existing : `${path}; ${existing}`;
  const reason =
    `${labelOf(item)}: ${copy.client.url} has other content there (${there}) ` +
    "and the conflict strategy is FAST_FAIL";
  end(
    copy,
    item,
    { kind: "failed", reason, conflict: true, stopsCluster: true },
    { failed: item.parts.length },
  );
}

function settleRefusal(
  copy: Copy,
  item: Item,
  { message, existing }: Verdict & { result: "refused" },
): void {
  const reason = `${labelOf(item)}: ${copy.client.url} refuses it: ${message}`;
  end(
    copy,
    item,
    { kind: "failed", reason, conflict: existing !== undefined, stopsCluster: false },
    { failed: item.parts.length },
  );
}

function end(
  copy: Copy,
  item: Item,
  result: ArtifactResult,
  nodes: Ended,
  blob: Ended = nodes,
): void {
  settle(copy, item, artifactOutcome(learned(item), result, nodes, item.sent, blob));
}

export const damagedOnTheWay = ({ client }: Copy) =>
  new TransferError(
    "digestMismatch",
    `the content was damaged on the way to ${client.url} (wrong digest on arrival): ` +
      "if that repeats, check the proxies between the instances",
  );
