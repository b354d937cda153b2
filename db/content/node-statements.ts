import type { Audit } from "../audit.ts";
import type { Db } from "../open.ts";

/** The columns of an existing row that writing a node needs. */
export type Existing = {
  id: number;
  folder: 0 | 1;
  size: number;
  sha256: string | null;
  metadata: string;
};

type NodeValues = {
  repositoryId: number;
  fullPath: string;
  parent: string;
  name: string;
  folder: 0 | 1;
  size: number;
  sha256: string | null;
  md5: string | null;
  metadata: string;
  expireDate: number | null;
} & Audit;

type Changed = Omit<
  NodeValues,
  "repositoryId" | "fullPath" | "parent" | "name" | "folder" | "createdBy" | "createdDate"
>;

function prepare({ $client: client }: Db) {
  return {
    blob: client.prepare<[string], { size: number; md5: string | null }>(
      "SELECT size, nullif(md5, '') AS md5 FROM blob WHERE sha256 = ?",
    ),
    /** Finds the row at a path. Parameters: now, repository, path. */
    find: client.prepare<[number, number, string], Existing & { expired: 0 | 1 }>(
      `SELECT id, folder, size, sha256, metadata,
         expire_date IS NOT NULL AND expire_date <= ? AS expired
       FROM node WHERE repository_id = ? AND full_path = ?`,
    ),
    insert: client.prepare<[NodeValues]>(
      `INSERT INTO node (
         repository_id, full_path, parent, name, folder, size, sha256, md5, metadata, expire_date,
         created_by, created_date, last_modified_by, last_modified_date
       ) VALUES (
         @repositoryId, @fullPath, @parent, @name, @folder, @size, @sha256, @md5, @metadata, @expireDate,
         @createdBy, @createdDate, @lastModifiedBy, @lastModifiedDate
       )`,
    ),
    update: client.prepare<[Changed & { id: number }]>(
      `UPDATE node SET
         size = @size, sha256 = @sha256, md5 = @md5, metadata = @metadata, expire_date = @expireDate,
         last_modified_by = @lastModifiedBy, last_modified_date = @lastModifiedDate
       WHERE id = @id`,
    ),
    remove: client.prepare<[number]>("DELETE FROM node WHERE id = ?"),
    touch: client.prepare<[number, string]>(
      "UPDATE blob SET touched_date = ? WHERE sha256 = ?",
    ),
    event: client.prepare<[string, string, string, string, number]>(
      `INSERT INTO event (project_id, repo_name, kind, subject, digest, created_date)
       VALUES (?, ?, 'node', ?, ?, ?)`,
    ),
  };
}

export type NodeStatements = ReturnType<typeof prepare>;

const prepared = new WeakMap<Db, NodeStatements>();

/**
 * Returns the statements of a database. They are prepared once, because thousands of nodes are
 * written each second.
 */
export function nodeStatements(db: Db): NodeStatements {
  const known = prepared.get(db) ?? prepare(db);
  prepared.set(db, known);
  return known;
}
