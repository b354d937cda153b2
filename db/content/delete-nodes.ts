import { sql } from "drizzle-orm";
import { getNode } from "./nodes.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { turn } from "../turns.ts";

/** Maximum number of rows in one transaction, so that others wait only briefly. */
const BATCH = 500;

type Row = { id: number; path: string; sha256: string | null };

/**
 * A function that is called at the end of each transaction that deletes files, with their paths.
 */
type Deleted = (tx: DbOrTx, paths: string[]) => void;

/**
 * Deletes a file, or a folder with everything that is in it now ("/": the whole repository), and
 * touches the contents. A large folder takes many transactions: its files vanish one after the
 * other, and repeating an interrupted call finishes the deletion. Returns the number of files; null
 * when nothing exists at a path other than "/".
 */
export async function deleteNodes(
  db: Db,
  repositoryId: number,
  fullPath: string,
  now: number,
  deleted: Deleted = () => undefined,
): Promise<number | null> {
  const found = fullPath === "/" ? null : getNode(db, repositoryId, fullPath, now);
  if (!found && fullPath !== "/") return null;
  if (found && !found.folder)
    return deleteRows(
      db,
      () => [{ id: found.id, path: fullPath, sha256: found.sha256 }],
      now,
      deleted,
    ).length;
  const newest =
    db.get<{ id: number | null }>(sql`SELECT max(id) AS id FROM node`)?.id ?? 0;
  const inside = sql`
    repository_id = ${repositoryId}
    AND id <= ${newest}
    AND full_path > ${fullPath === "/" ? "/" : `${fullPath}/`}
    ${fullPath === "/" ? sql`` : sql`AND full_path < ${`${fullPath}0`}`}`;
  const files = await deleteFiles(db, inside, now, deleted);
  await deleteEmptyFolders(db, repositoryId, inside);
  if (found)
    write(db, (tx) =>
      tx.run(sql`DELETE FROM node WHERE id = ${found.id} AND ${isEmpty(repositoryId)}`),
    );
  return files;
}

async function deleteFiles(
  db: Db,
  inside: ReturnType<typeof sql>,
  now: number,
  deleted: Deleted,
): Promise<number> {
  let total = 0;
  for (let after = ""; ;) {
    const page = sql`
      SELECT id, full_path AS path, sha256 FROM node
      WHERE ${inside} AND folder = 0 AND full_path > ${after}
      ORDER BY full_path LIMIT ${BATCH}`;
    const rows = deleteRows(db, (tx) => tx.all<Row>(page), now, deleted);
    total += rows.length;
    const last = rows.at(-1);
    if (!last || rows.length < BATCH) return total;
    after = last.path;
    await turn();
  }
}

/**
 * Deletes the empty folders, the deepest first: their paths sort after those of the folders above
 * them. A folder that got new content meanwhile stays.
 */
async function deleteEmptyFolders(
  db: Db,
  repositoryId: number,
  inside: ReturnType<typeof sql>,
): Promise<void> {
  for (let before: string | null = null; ;) {
    const below = before === null ? sql`` : sql`AND full_path < ${before}`;
    const rows: Row[] = db.all<Row>(sql`
      SELECT id, full_path AS path FROM node
      WHERE ${inside} ${below} ORDER BY full_path DESC LIMIT ${BATCH}`);
    write(db, (tx) => {
      for (const { id } of rows)
        tx.run(
          sql`DELETE FROM node WHERE id = ${id} AND folder = 1 AND ${isEmpty(repositoryId)}`,
        );
    });
    const last = rows.at(-1);
    if (!last || rows.length < BATCH) return;
    before = last.path;
    await turn();
  }
}

const isEmpty = (repositoryId: number) =>
  sql`NOT EXISTS (
    SELECT 1 FROM node AS child
    WHERE child.repository_id = ${repositoryId} AND child.parent = node.full_path)`;

function deleteRows(
  db: Db,
  select: (tx: DbOrTx) => Row[],
  now: number,
  deleted: Deleted,
): Row[] {
  return write(db, (tx) => {
    const rows = select(tx);
    const digests = JSON.stringify(rows.map(({ sha256 }) => sha256));
    const ids = JSON.stringify(rows.map(({ id }) => id));
    tx.run(sql`
      UPDATE blob SET touched_date = ${now}
      WHERE sha256 IN (SELECT value FROM json_each(${digests}))`);
    tx.run(sql`DELETE FROM node WHERE id IN (SELECT value FROM json_each(${ids}))`);
    deleted(
      tx,
      rows.map(({ path }) => path),
    );
    return rows;
  });
}

/** Deletes some of the expired files of all repositories and returns how many. */
export function deleteExpired(db: Db, now: number): number {
  const page = sql`
    SELECT id, full_path AS path, sha256 FROM node
    WHERE expire_date IS NOT NULL AND expire_date <= ${now}
    LIMIT ${BATCH}`;
  return deleteRows(
    db,
    (tx) => tx.all<Row>(page),
    now,
    () => undefined,
  ).length;
}
