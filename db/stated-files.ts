import { and, eq } from "drizzle-orm";
import { decideFile, type FileAnswer, type StatedFile, type Statement } from "../domain/sync.ts";
import { haveBlobs, putBlobs, type BlobRow } from "./blobs.ts";
import { nodeStatements } from "./node-statements.ts";
import { type NodeStat, statPaths } from "./nodes.ts";
import { type Db, write } from "./open.ts";
import { type NodeEntry, putNodes, type PutResult, type RepositoryKey } from "./put-nodes.ts";
import { node } from "./schema/content.ts";

/** A stated file, or why it cannot be, found out before. */
export type Judged = StatedFile & { verdict?: FileAnswer | undefined };

export type StatedRules = Pick<Statement, "conflictStrategy" | "includeMetadata"> & { user: string; now: number };

/**
 * Makes what another instance states true, as far as the rules allow: registers `blobs`, whose content is durable, decides each file by what is
 * there and makes the nodes, all in one transaction. Answers in the order of the files.
 */
export function applyStatement(db: Db, repository: RepositoryKey, files: readonly Judged[], blobs: Omit<BlobRow, "touchedDate">[], rules: StatedRules): FileAnswer[] {
  return write(db, (tx) => {
    putBlobs(tx, blobs, rules.now);
    const answers = decide(db, repository, files, rules);
    const entries: NodeEntry[] = [];
    const places: number[] = [];
    for (const [at, file] of files.entries()) {
      const result = answers[at]?.result;
      if (result !== "made" && result !== "replaced") continue;
      entries.push(toEntry(file, rules));
      places.push(at);
    }
    const results = putNodes(db, repository, entries, { overwrite: true, user: rules.user, now: rules.now });
    for (const [i, result] of results.entries()) answers[places[i] ?? -1] = toAnswer(result);
    return answers;
  });
}

function decide(db: Db, repository: RepositoryKey, files: readonly Judged[], { conflictStrategy, includeMetadata, now }: StatedRules): FileAnswer[] {
  const existing = statPaths(db, repository.id, files.map(({ path }) => path), now);
  const have = haveBlobs(db, files.map(({ sha256 }) => sha256), now);
  let stopped = false;
  return files.map((file): FileAnswer => {
    if (stopped) return { result: "stopped" };
    if (file.verdict) return file.verdict;
    const found = existing.get(file.path);
    if (found?.folder) return blocked(file.path);
    const there = found?.sha256 ? { sha256: found.sha256 } : null;
    const answer = decideFile(there, file.sha256, have.has(file.sha256), conflictStrategy);
    stopped = answer.result === "conflict" && conflictStrategy === "FAST_FAIL";
    if (answer.result === "same" && includeMetadata && differs(found, file)) setMetadata(db, repository, file, now);
    return answer;
  });
}

function setMetadata(db: Db, repository: RepositoryKey, file: StatedFile, now: number): void {
  db.update(node)
    .set({ metadata: file.metadata, lastModifiedBy: file.lastModifiedBy, lastModifiedDate: file.lastModifiedDate })
    .where(and(eq(node.repositoryId, repository.id), eq(node.fullPath, file.path)))
    .run();
  nodeStatements(db).event.run(repository.projectId, repository.name, file.path, `sha256:${file.sha256}`, now);
}

function differs(found: NodeStat | undefined, { metadata }: StatedFile): boolean {
  const there = found?.metadata ?? {};
  const keys = Object.keys(metadata);
  return keys.length !== Object.keys(there).length || keys.some((key) => metadata[key] !== there[key]);
}

function toEntry(file: StatedFile, { includeMetadata }: StatedRules): NodeEntry {
  const { path, sha256, metadata, createdBy, createdDate, lastModifiedBy, lastModifiedDate } = file;
  return { fullPath: path, sha256, metadata: includeMetadata ? metadata : null, audit: { createdBy, createdDate, lastModifiedBy, lastModifiedDate } };
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

const blocked = (at: string): FileAnswer => ({
  result: "refused",
  code: 251012,
  message: `${at} is a folder where a file should be, or a file where a folder should be`,
});
