import { TransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome } from "../../domain/outcome.ts";
import type { SyncLimits } from "../../domain/sync.ts";
import type { StatedVersion, VersionAnswer, VersionsAnswer } from "../../domain/sync-versions.ts";
import type { CopyVersion, CopyVersions } from "./versions.ts";
import { troubleOutcome, versionOutcome } from "./versions-outcome.ts";
import { guardedBy, settle } from "./settling.ts";

/** One version on its way. */
export type Item = CopyVersion & {
  index: number;
  /** Bytes of its JSON. */
  length: number;
  settled: boolean;
  /** Content bytes handed to the target for it. */
  sent: number;
  /** The contents (sha256) that the target lacks. */
  needs: string[];
};

/** `stopped`: a conflict under FAST_FAIL was met; nothing is begun any more. `uploading`: big contents (sha256) on their way, or there. */
export type Copy = CopyVersions & { limits: SyncLimits; stopped: boolean; uploading: Map<string, Promise<void>> };

export const toItem = (version: CopyVersion, index: number): Item => ({
  ...version,
  index,
  length: Buffer.byteLength(JSON.stringify(version.stated)),
  settled: false,
  sent: 0,
  needs: [],
});

export function settleTrouble(copy: CopyVersions, item: Item, error: TransferError): void {
  settle(copy, item, troubleOutcome(item.stated, error, item.uploads, item.sent));
}

export const guarded = guardedBy(settleTrouble);

/** States versions at the target with these contents (by sha256) behind them, and settles what it decided. Returns the versions that need more. */
export async function state(copy: Copy, items: Item[], contents: Map<string, Buffer>): Promise<Item[]> {
  const { versions: answers } = await send(copy, items, contents);
  countSent(items, contents);
  const needed: Item[] = [];
  for (const [at, item] of items.entries()) {
    const answer = answers[at];
    if (answer?.result === "need") {
      item.needs = answer.files;
      needed.push(item);
    } else if (answer) settleAnswer(copy, item, answer);
  }
  return needed;
}

export function send(copy: Copy, items: Item[], contents: Map<string, Buffer>): Promise<VersionsAnswer> {
  const { type, remote, hooks } = copy;
  const { conflictStrategy, includeMetadata } = copy.rules;
  const versions = items.map(({ stated }) => (includeMetadata ? stated : withoutMetadata(stated)));
  const attached = [...contents].map(([sha256, { length: size }]) => ({ sha256, size }));
  return copy.target.sendVersions(remote, { type, conflictStrategy, includeMetadata, contents: attached, versions }, [...contents.values()], hooks);
}

function withoutMetadata(stated: StatedVersion): StatedVersion {
  return { ...stated, files: stated.files.map((file) => ({ ...file, metadata: {} })) };
}

/** A content that several versions share went with the first of them. */
function countSent(items: Item[], contents: Map<string, Buffer>): void {
  const counted = new Set<string>();
  for (const item of items) {
    for (const sha256 of item.needs) {
      if (counted.has(sha256)) continue;
      counted.add(sha256);
      item.sent += contents.get(sha256)?.length ?? 0;
    }
  }
}

function settleAnswer(copy: Copy, item: Item, answer: Exclude<VersionAnswer, { result: "need" }>): void {
  const { stated, sent } = item;
  const files = stated.files.length;
  switch (answer.result) {
    case "made":
      return settle(copy, item, versionOutcome(stated, { kind: "sent" }, { success: answer.written, skip: files - answer.written }, sent));
    case "replaced":
      return settle(copy, item, versionOutcome(stated, { kind: "replaced" }, { success: answer.written, skip: files - answer.written }, sent));
    case "same":
      // The target verified it when it came: equal content found is what this execution sent, read back.
      if (item.mayHaveSent) return settle(copy, item, versionOutcome(stated, { kind: "sent" }, { success: files }, sent));
      return settle(copy, item, versionOutcome(stated, { kind: "same" }, { skip: files }, sent));
    case "conflict":
      return settleConflict(copy, item, answer);
    case "refused":
      return settle(copy, item, refusedOutcome(copy, item, answer));
    case "damaged":
      return settleTrouble(copy, item, new TransferError("digestMismatch", `its bytes arrived changed at ${copy.target.url}`));
    case "stopped":
      copy.stopped = true;
  }
}

function settleConflict(copy: Copy, item: Item, { path, existing }: VersionAnswer & { result: "conflict" }): void {
  const { stated, sent } = item;
  const files = stated.files.length;
  if (copy.rules.conflictStrategy === "SKIP") return settle(copy, item, versionOutcome(stated, { kind: "skipped" }, { skip: files }, sent));
  copy.stopped = true;
  const reason = `${nameOf(stated)}: ${copy.target.url} has other content there (${path}; ${existing}) and the conflict strategy is FAST_FAIL`;
  settle(copy, item, versionOutcome(stated, { kind: "failed", reason, conflict: true, stopsCluster: true }, { failed: files }, sent));
}

function refusedOutcome(copy: Copy, { stated, sent }: Item, { message, existing }: VersionAnswer & { result: "refused" }): ArtifactOutcome {
  const reason = `${nameOf(stated)}: ${copy.target.url} refuses it: ${message}`;
  return versionOutcome(stated, { kind: "failed", reason, conflict: existing !== undefined, stopsCluster: false }, { failed: stated.files.length }, sent);
}

export const nameOf = ({ package: name, version }: Pick<StatedVersion, "package" | "version">): string => `${name} ${version}`;
