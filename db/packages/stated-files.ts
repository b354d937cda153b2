import { and, eq } from "drizzle-orm";
import type { HostedFileType } from "../../domain/repository-types.ts";
import {
  type Decided,
  decideFile,
  type DescribedFile,
  type FileAnswer,
  type Statement,
} from "../../domain/sync.ts";
import { auditOf, type By } from "../audit.ts";
import { haveBlobs, putBlobs, type BlobRow } from "../content/blobs.ts";
import { tell } from "../content/events.ts";
import { overQuota } from "../content/quotas.ts";
import { type NodeStat, statPaths } from "../content/nodes.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import {
  type Beside,
  beyond,
  blocked,
  compareAt,
  differs,
  type Facts,
  type StatableRepository,
} from "./stated-applying.ts";
import { FILE_TYPES, type Readings } from "./types.ts";
import { type NodeEntry, putNodes, type PutResult } from "../content/put-nodes.ts";
import { node } from "../schema/content.ts";

/**
 * A declared file; `verdict`: the answer to it (refused or damaged) if that is known beforehand.
 */
export type Judged = DescribedFile & { verdict?: Decided<FileAnswer> | undefined };

type FileRepository = StatableRepository & { type: HostedFileType };

/**
 * The rules of a declaration of files. `readings`: values read from the declared contents, by
 * sha256: for Maven the packagings of POMs; `facts`: existing contents with their digests.
 */
type StatedRules = Pick<Statement, "conflictStrategy" | "includeMetadata"> &
  By & { readings: Readings; facts: Facts };

/**
 * Applies a declaration of files as far as the rules allow: registers `blobs`, whose content is
 * durable, compares each file with the existing one and writes the nodes, all in one transaction.
 * Returns an answer for each file, in the order of `files`.
 */
export function applyStatement(
  db: Db,
  repository: FileRepository,
  files: readonly Judged[],
  blobs: Omit<BlobRow, "touchedDate">[],
  rules: StatedRules,
): Decided<FileAnswer>[] {
  return write(db, (tx) => {
    putBlobs(tx, blobs, rules.now);
    const answers = decide(db, tx, repository, files, rules);
    const entries: NodeEntry[] = [];
    const places: number[] = [];
    for (const [at, file] of files.entries()) {
      const result = answers[at]?.result;
      if ((result !== "made" && result !== "replaced") || file.sha256 === null) continue;
      entries.push(toEntry(repository, file, file.sha256, rules));
      places.push(at);
    }
    const results = putNodes(db, repository, entries, {
      overwrite: true,
      user: rules.user,
      now: rules.now,
    });
    for (const [i, result] of results.entries())
      answers[places[i] ?? -1] = toAnswer(result, entries[i]?.sha256);
    const written = places.flatMap((at) => files[at] ?? []);
    FILE_TYPES[repository.type].record(
      tx,
      repository,
      written,
      rules.now,
      rules.readings,
    );
    return answers;
  });
}

function decide(
  db: Db,
  tx: DbOrTx,
  repository: FileRepository,
  files: readonly Judged[],
  rules: StatedRules,
): Decided<FileAnswer>[] {
  const { conflictStrategy, includeMetadata, now } = rules;
  const there = statPaths(
    db,
    repository.id,
    files.map(({ path }) => path),
    now,
  );
  const have = haveBlobs(
    db,
    files.flatMap(({ sha256 }) => sha256 ?? []),
    now,
  );
  const { judge } = FILE_TYPES[repository.type];
  let stopped = false;
  return files.map((file): Decided<FileAnswer> => {
    if (stopped) return { result: "stopped" };
    const found = there.get(file.path);
    const comparison = compareAt(file, found, rules.facts, (sha256) => have.has(sha256));
    const existing = comparison === "absent" ? null : (found?.sha256 ?? null);
    const beside: Beside = { existing, comparison };
    const verdict =
      file.verdict ?? judge(repository, file.path, beside, conflictStrategy);
    if (verdict) return verdict;
    if (found?.folder) return blocked(file.path);
    const hasContent = file.sha256 !== null && have.has(file.sha256);
    const answer = decideFile(
      beside.comparison,
      beside.existing,
      hasContent,
      conflictStrategy,
    );
    stopped = answer.result === "conflict" && conflictStrategy === "FAST_FAIL";
    if (answer.result === "need" && file.size !== null) {
      // A content that has no room is not asked for.
      const over = overQuota(tx, repository, file.size - (found?.size ?? 0));
      if (over !== null) return beyond(over);
    }
    if (
      answer.result === "same" &&
      includeMetadata &&
      found &&
      differs(found.metadata, file.metadata)
    )
      setMetadata(tx, repository, file, found, now);
    return answer;
  });
}

function setMetadata(
  tx: DbOrTx,
  repository: FileRepository,
  file: DescribedFile,
  { sha256 }: NodeStat,
  now: number,
): void {
  const { isPart, tellPart } = FILE_TYPES[repository.type];
  tx.update(node)
    .set({
      metadata: file.metadata,
      lastModifiedBy: file.lastModifiedBy,
      lastModifiedDate: file.lastModifiedDate,
    })
    .where(and(eq(node.repositoryId, repository.id), eq(node.fullPath, file.path)))
    .run();
  if (isPart(file.path)) tellPart(tx, repository, file.path, now);
  else
    tell(tx, {
      projectId: repository.projectId,
      repoName: repository.name,
      kind: "node",
      subject: file.path,
      digest: `sha256:${sha256}`,
      createdDate: now,
    });
}

function toEntry(
  { type }: FileRepository,
  file: DescribedFile,
  sha256: string,
  { includeMetadata }: StatedRules,
): NodeEntry {
  return {
    fullPath: file.path,
    sha256,
    metadata: includeMetadata ? file.metadata : null,
    audit: auditOf(file),
    partOfVersion: FILE_TYPES[type].isPart(file.path),
  };
}

function toAnswer(result: PutResult, sha256: string | undefined): Decided<FileAnswer> {
  switch (result.kind) {
    case "created":
      return { result: "made" };
    case "replaced":
    case "existed":
      // The same content was there, but damaged.
      if (result.sha256 === sha256) return { result: "made" };
      return { result: "replaced", existing: result.sha256 };
    case "missing":
      return { result: "need" };
    case "blocked":
      return blocked(result.at);
    case "overQuota":
      return beyond(result.over);
  }
}
