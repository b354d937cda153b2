import { and, eq } from "drizzle-orm";
import { decideFile, type FileAnswer, type StatedFile, type Statement } from "../domain/sync.ts";
import { haveBlobs, putBlobs, type BlobRow } from "./blobs.ts";
import { tell } from "./events.ts";
import { type NodeStat, statPaths } from "./nodes.ts";
import { type Db, type DbOrTx, write } from "./open.ts";
import type { Packagings } from "./packages/maven-record.ts";
import { blocked, differs, type StatableRepository } from "./packages/stated-applying.ts";
import { isInLayout, judgeMavenFile, judgeReplacing, recordStatedFiles, tellStatedFile } from "./packages/stated-maven-files.ts";
import { type NodeEntry, putNodes, type PutResult } from "./put-nodes.ts";
import { node } from "./schema/content.ts";

/** A stated file, or why it cannot be, found out before. */
export type Judged = StatedFile & { verdict?: FileAnswer | undefined };

/** `packagings`: of the POMs among the files, as maven-record.ts wants them. */
export type StatedRules = Pick<Statement, "conflictStrategy" | "includeMetadata"> & { user: string; now: number; packagings: Packagings };

/**
 * Makes what another instance states true, as far as the rules allow: registers `blobs`, whose content is durable, decides each file by what is
 * there and makes the nodes, all in one transaction. Answers in the order of the files.
 */
export function applyStatement(db: Db, repository: StatableRepository, files: readonly Judged[], blobs: Omit<BlobRow, "touchedDate">[], rules: StatedRules): FileAnswer[] {
  return write(db, (tx) => {
    putBlobs(tx, blobs, rules.now);
    const answers = decide(db, tx, repository, files, rules);
    const entries: NodeEntry[] = [];
    const places: number[] = [];
    for (const [at, file] of files.entries()) {
      const result = answers[at]?.result;
      if (result !== "made" && result !== "replaced") continue;
      entries.push(toEntry(repository, file, rules));
      places.push(at);
    }
    const results = putNodes(db, repository, entries, { overwrite: true, user: rules.user, now: rules.now });
    for (const [i, result] of results.entries()) answers[places[i] ?? -1] = toAnswer(result);
    if (repository.type !== "MAVEN") return answers;
    const written = places.flatMap((at) => files[at] ?? []);
    recordStatedFiles(tx, repository, written, rules.now, rules.packagings);
    return answers;
  });
}

function decide(db: Db, tx: DbOrTx, repository: StatableRepository, files: readonly Judged[], rules: StatedRules): FileAnswer[] {
  const { conflictStrategy, includeMetadata, now } = rules;
  const existing = statPaths(db, repository.id, files.map(({ path }) => path), now);
  const have = haveBlobs(db, files.map(({ sha256 }) => sha256), now);
  let stopped = false;
  return files.map((file): FileAnswer => {
    if (stopped) return { result: "stopped" };
    const found = existing.get(file.path);
    const verdict = file.verdict ?? (repository.type === "MAVEN" ? judgeMaven(repository, file, found, rules) : undefined);
    if (verdict) return verdict;
    if (found?.folder) return blocked(file.path);
    const there = found?.sha256 ? { sha256: found.sha256 } : null;
    const answer = decideFile(there, file.sha256, have.has(file.sha256), conflictStrategy);
    stopped = answer.result === "conflict" && conflictStrategy === "FAST_FAIL";
    if (answer.result === "same" && includeMetadata && found && differs(found.metadata, file.metadata)) setMetadata(tx, repository, file, now);
    return answer;
  });
}

function judgeMaven(repository: StatableRepository, { path, sha256 }: StatedFile, found: NodeStat | undefined, { conflictStrategy }: StatedRules): FileAnswer | undefined {
  const replaces = conflictStrategy === "OVERWRITE" && found?.sha256 && found.sha256 !== sha256;
  return judgeMavenFile(path) ?? (replaces ? judgeReplacing(repository, path, found.sha256 ?? "") : undefined);
}

const isPart = ({ type }: StatableRepository, path: string): boolean => type === "MAVEN" && isInLayout(path);

function setMetadata(tx: DbOrTx, repository: StatableRepository, file: StatedFile, now: number): void {
  tx.update(node)
    .set({ metadata: file.metadata, lastModifiedBy: file.lastModifiedBy, lastModifiedDate: file.lastModifiedDate })
    .where(and(eq(node.repositoryId, repository.id), eq(node.fullPath, file.path)))
    .run();
  if (isPart(repository, file.path)) tellStatedFile(tx, repository, file.path, now);
  else tell(tx, { projectId: repository.projectId, repoName: repository.name, kind: "node", subject: file.path, digest: `sha256:${file.sha256}`, createdDate: now });
}

function toEntry(repository: StatableRepository, file: StatedFile, { includeMetadata }: StatedRules): NodeEntry {
  const { path, sha256, metadata, createdBy, createdDate, lastModifiedBy, lastModifiedDate } = file;
  const audit = { createdBy, createdDate, lastModifiedBy, lastModifiedDate };
  return { fullPath: path, sha256, metadata: includeMetadata ? metadata : null, audit, partOfVersion: isPart(repository, path) };
}

function toAnswer(result: PutResult): FileAnswer {
  switch (result.kind) {
    case "created":
      return { result: "made" };
    case "replaced":
    case "existed":
      return { result: "replaced", existing: result.sha256 };
    case "missing":
      return { result: "need" };
    case "blocked":
      return blocked(result.at);
  }
}
