import type { ArtifactOutcome } from "../../domain/outcome.ts";
import { TransferError } from "../../domain/failure.ts";
import type { FileAnswer, StatedFile, Statement, SyncLimits } from "../../domain/sync.ts";
import type { CopyFile, CopyFiles, SourceFile } from "./files.ts";
import { fileOutcome, troubleOutcome } from "./files-outcome.ts";
import { guardedBy, settle } from "./settling.ts";

/** One file on its way. */
export type Item = CopyFile & {
  index: number;
  settled: boolean;
  /** Content bytes handed to the target for this file. */
  sent: number;
  /** The content went to the target with this file, now or in an earlier attempt. */
  carried: boolean;
};

/** `stopped`: a conflict under FAST_FAIL was met; nothing is begun any more. */
export type Copy = CopyFiles & { limits: SyncLimits; stopped: boolean };

export const toItem = (file: CopyFile, index: number): Item => ({ ...file, index, settled: false, sent: 0, carried: false });

export function settleTrouble(copy: CopyFiles, item: Item, error: TransferError): void {
  settle(copy, item, troubleOutcome(item.source, error, item.uploads, item.sent));
}

export const guarded = guardedBy(settleTrouble);

/**
 * States files at the target, the content of those in `contents` (by sha256) behind the statement, and settles what the target
 * decided. Returns the files whose content it needs.
 */
export async function state(copy: Copy, items: Item[], contents: Map<string, Buffer>): Promise<Item[]> {
  const attached = new Map<string, Buffer>();
  const { conflictStrategy, includeMetadata } = copy.rules;
  const files = items.map(({ source }) => {
    const content = contents.get(source.sha256);
    const attach = content !== undefined && !attached.has(source.sha256);
    if (attach) attached.set(source.sha256, content);
    return statedFile(source, includeMetadata, attach);
  });
  const statement: Statement = { type: copy.type ?? "GENERIC", conflictStrategy, includeMetadata, files };
  const answers = await copy.target.sendFiles(copy.remote, statement, [...attached.values()], copy.hooks);
  const needed: Item[] = [];
  for (const [at, item] of items.entries()) {
    const answer = answers[at];
    if (files[at]?.attached) {
      item.sent += item.source.size;
      item.carried = true;
    }
    if (answer?.result === "need") needed.push(item);
    else if (answer) settleAnswer(copy, item, answer);
  }
  return needed;
}

function statedFile({ fullPath, md5: _md5, ...file }: SourceFile, includeMetadata: boolean, attached: boolean): StatedFile {
  return { path: fullPath, ...file, metadata: includeMetadata ? file.metadata : {}, attached };
}

function settleAnswer(copy: Copy, item: Item, answer: Exclude<FileAnswer, { result: "need" }>): void {
  const { source, sent } = item;
  const blob = item.carried ? "success" : "skip";
  switch (answer.result) {
    case "made":
      return settle(copy, item, fileOutcome(source, { kind: "sent" }, "success", blob, sent));
    case "replaced":
      return settle(copy, item, fileOutcome(source, { kind: "replaced" }, "success", blob, sent));
    case "same":
      // The target verified it when it came: equal content found is what this execution sent, read back.
      if (item.mayHaveSent) return settle(copy, item, fileOutcome(source, { kind: "sent" }, "success", "success", sent));
      return settle(copy, item, fileOutcome(source, { kind: "same" }, "skip", "skip", sent));
    case "conflict":
      return settleConflict(copy, item, answer.existing);
    case "refused":
      return settle(copy, item, refusedOutcome(copy, item, answer));
    case "damaged":
      return settleTrouble(copy, item, new TransferError("digestMismatch", `its bytes arrived changed at ${copy.target.url}`));
    case "stopped":
      copy.stopped = true;
  }
}

function refusedOutcome(copy: Copy, { source, sent }: Item, { message, existing }: FileAnswer & { result: "refused" }): ArtifactOutcome {
  const reason = `${source.fullPath}: ${copy.target.url} refuses it: ${message}`;
  return fileOutcome(source, { kind: "failed", reason, conflict: existing !== undefined, stopsCluster: false }, "failed", "failed", sent);
}

function settleConflict(copy: Copy, item: Item, existing: string): void {
  const { source, sent } = item;
  if (copy.rules.conflictStrategy === "SKIP") {
    return settle(copy, item, fileOutcome(source, { kind: "skipped" }, "skip", "skip", sent));
  }
  copy.stopped = true;
  const reason = `${source.fullPath}: ${copy.target.url} has other content there (sha256:${existing}) and the conflict strategy is FAST_FAIL`;
  settle(copy, item, fileOutcome(source, { kind: "failed", reason, conflict: true, stopsCluster: true }, "failed", "failed", sent));
}
