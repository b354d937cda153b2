import { foldersAbove, nameOf, parentOf } from "../../domain/path.ts";
import { type Audit, auditBy, type By } from "../audit.ts";
import { isFollowed } from "./events.ts";
import { nodeStatements, type Existing, type NodeStatements } from "./node-statements.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import type { OverQuota } from "../../domain/quota.ts";
import { overQuota } from "./quotas.ts";

/** A file to be written. Its size and md5 come from the registered content. */
export type NodeEntry = {
  /** Path of the file, in the form that `parsePath` returns. */
  fullPath: string;
  sha256: string;
  /** Metadata of the file; null: an existing file keeps its metadata, a new one has none. */
  metadata: Record<string, string> | null;
  /** When the file expires (epoch ms); null or absent: never. */
  expireDate?: number | null;
  /**
   * The audit block that the file has at another instance; absent: one made of `user` and `now` of
   * the rules.
   */
  audit?: Audit;
  /**
   * Whether the file is part of a package version. The version has an event of its own
   * (`tellVersion`), so the file gets none.
   */
  partOfVersion?: boolean;
};

export type PutRules = By & { overwrite: boolean };

/**
 * The result of writing one file; `sha256`: the content that was there before. Results other than
 * created and replaced:
 * - missing: the content is not in the store: send it, then put the node again.
 * - existed: a file exists and `overwrite` is false.
 * - blocked: `at` is a file where a folder is needed, or a folder where the file should be.
 * - overQuota: the file would exceed the quota `over`.
 */
export type PutResult =
  | { kind: "created" | "missing" }
  | { kind: "replaced" | "existed"; sha256: string }
  | { kind: "blocked"; at: string }
  | { kind: "overQuota"; over: OverQuota };

export type RepositoryKey = { id: number; projectId: string; name: string };

/**
 * Writes files, with the folders above them, in one transaction that checks that their content is
 * registered. Returns one result for each file, in the order of `entries`.
 */
export function putNodes(
  db: Db,
  repository: RepositoryKey,
  entries: readonly NodeEntry[],
  rules: PutRules,
): PutResult[] {
  return write(db, (tx) => {
    const put: Put = {
      ...rules,
      tx,
      repository,
      statements: nodeStatements(db),
      folders: new Set(),
      followed: isFollowed(tx, repository.projectId),
    };
    return entries.map((entry) => putNode(put, entry));
  });
}

/**
 * What the writes of one transaction share. `folders`: folders known to exist; `followed`: whether
 * a REAL_TIME task follows the project.
 */
type Put = PutRules & {
  tx: DbOrTx;
  repository: RepositoryKey;
  statements: NodeStatements;
  folders: Set<string>;
  followed: boolean;
};

function putNode(put: Put, entry: NodeEntry): PutResult {
  const { fullPath, sha256 } = entry;
  const content = put.statements.blob.get(sha256);
  if (!content) return { kind: "missing" };
  const existing = findLive(put, fullPath);
  if (existing?.folder) return { kind: "blocked", at: fullPath };
  if (existing?.sha256 && !put.overwrite)
    return { kind: "existed", sha256: existing.sha256 };
  const over = overQuota(put.tx, put.repository, content.size - (existing?.size ?? 0));
  if (over !== null) return { kind: "overQuota", over };
  const audit = entry.audit ?? auditBy(put);
  if (!existing) {
    const blocker = makeFolders(put, fullPath, audit);
    if (blocker !== null) return { kind: "blocked", at: blocker };
  }
  const metadata = entry.metadata
    ? JSON.stringify(entry.metadata)
    : (existing?.metadata ?? "{}");
  const values = {
    ...content,
    sha256,
    metadata,
    expireDate: entry.expireDate ?? null,
    ...audit,
  };
  if (put.followed && !entry.partOfVersion)
    put.statements.event.run(
      put.repository.projectId,
      put.repository.name,
      fullPath,
      `sha256:${sha256}`,
      put.now,
    );
  if (!existing?.sha256) {
    insert(put, fullPath, 0, values);
    return { kind: "created" };
  }
  put.statements.update.run({ ...values, id: existing.id });
  if (existing.sha256 !== sha256) put.statements.touch.run(put.now, existing.sha256);
  return { kind: "replaced", sha256: existing.sha256 };
}

/**
 * Returns the row at a path; undefined when there is none. A row that has expired is deleted and
 * counts as none.
 */
function findLive(
  { statements, repository, now }: Put,
  fullPath: string,
): Existing | undefined {
  const found = statements.find.get(now, repository.id, fullPath);
  if (!found?.expired) return found;
  statements.remove.run(found.id);
  if (found.sha256) statements.touch.run(now, found.sha256);
  return undefined;
}

/**
 * Creates the missing folders above a path. If a file exists where a folder is needed, creates
 * nothing and returns that file's path; else returns null.
 */
function makeFolders(put: Put, fullPath: string, audit: Audit): string | null {
  const missing: string[] = [];
  for (const folder of foldersAbove(fullPath).reverse()) {
    if (put.folders.has(folder)) break;
    const existing = findLive(put, folder);
    if (existing && !existing.folder) return folder;
    if (existing) {
      put.folders.add(folder);
      break;
    }
    missing.push(folder);
  }
  for (const folder of missing) {
    insert(put, folder, 1, {
      size: 0,
      sha256: null,
      md5: null,
      metadata: "{}",
      expireDate: null,
      ...audit,
    });
    put.folders.add(folder);
  }
  return null;
}

type Values = Omit<
  Parameters<NodeStatements["insert"]["run"]>[0],
  "repositoryId" | "fullPath" | "parent" | "name" | "folder"
>;

function insert(
  { statements, repository }: Put,
  fullPath: string,
  folder: 0 | 1,
  values: Values,
): void {
  statements.insert.run({
    repositoryId: repository.id,
    fullPath,
    parent: parentOf(fullPath),
    name: nameOf(fullPath),
    folder,
    ...values,
  });
}
