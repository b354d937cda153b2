import { and, asc, desc, eq, gt, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { node } from "../schema/content.ts";

export type NodeRow = typeof node.$inferSelect;

/**
 * SQL: whether a node has not expired. An expired file counts as gone; its row is deleted later.
 */
const live = (now: number) => or(isNull(node.expireDate), gt(node.expireDate, now));

/**
 * SQL: whether a node is below a folder; undefined for "/", below which all nodes are. Paths below
 * "/a" are after "/a/" and before "/a0", since "0" follows "/" in the order of characters.
 */
function below(folder: string): SQL | undefined {
  if (folder === "/") return undefined;
  return and(gt(node.fullPath, `${folder}/`), lt(node.fullPath, `${folder}0`));
}

const nodeAt = prepared((db) => {
  const { placeholder } = sql;
  const alive = or(isNull(node.expireDate), gt(node.expireDate, placeholder("now")));
  return db
    .select()
    .from(node)
    .where(
      and(
        eq(node.repositoryId, placeholder("repositoryId")),
        eq(node.fullPath, placeholder("fullPath")),
        alive,
      ),
    )
    .prepare();
});

export function getNode(
  db: DbOrTx,
  repositoryId: number,
  fullPath: string,
  now: number,
): NodeRow | null {
  return nodeAt(db).get({ repositoryId, fullPath, now }) ?? null;
}

export type NodeStat = Pick<NodeRow, "folder" | "size" | "sha256" | "metadata">;

/** Returns what exists at each of the paths; a path with nothing is absent from the map. */
export function statPaths(
  db: DbOrTx,
  repositoryId: number,
  paths: readonly string[],
  now: number,
): Map<string, NodeStat> {
  const rows = db
    .select({
      fullPath: node.fullPath,
      folder: node.folder,
      size: node.size,
      sha256: node.sha256,
      metadata: node.metadata,
    })
    .from(node)
    .where(
      and(
        eq(node.repositoryId, repositoryId),
        sql`${node.fullPath} IN (SELECT value FROM json_each(${JSON.stringify(paths)}))`,
        live(now),
      ),
    )
    .all();
  return new Map(rows.map(({ fullPath, ...found }) => [fullPath, found]));
}

type NodePage = {
  folder: string;
  deep: boolean;
  includeFolder: boolean;
  foldersFirst: boolean;
  offset: number;
  limit: number;
  now: number;
};

/**
 * Returns a page of the nodes in a folder, or with `deep` of all nodes below it, ordered by path,
 * and the number of all. Without `includeFolder` only files count. With it, `foldersFirst` puts
 * folders first, for which the database sorts all the nodes.
 */
export function pageNodes(
  db: DbOrTx,
  repositoryId: number,
  { folder, deep, includeFolder, foldersFirst, offset, limit, now }: NodePage,
): { total: number; nodes: NodeRow[] } {
  const inside = deep ? below(folder) : eq(node.parent, folder);
  const where = and(
    eq(node.repositoryId, repositoryId),
    inside,
    includeFolder ? undefined : eq(node.folder, false),
    live(now),
  );
  const counted = db
    .select({ n: sql<number>`count(*)` })
    .from(node)
    .where(where)
    .get();
  const path = asc(deep ? node.fullPath : node.name);
  const order = includeFolder && foldersFirst ? [desc(node.folder), path] : [path];
  const nodes = db
    .select()
    .from(node)
    .where(where)
    .orderBy(...order)
    .limit(limit)
    .offset(offset)
    .all();
  return { total: counted?.n ?? 0, nodes };
}

export function hasFiles(db: DbOrTx, repositoryId: number): boolean {
  const where = and(eq(node.repositoryId, repositoryId), eq(node.folder, false));
  return db.select({ id: node.id }).from(node).where(where).limit(1).get() !== undefined;
}

/** Whether the repository has any file or folder, even an expired file. */
export function hasNodes(db: DbOrTx, repositoryId: number): boolean {
  return (
    db
      .select({ id: node.id })
      .from(node)
      .where(eq(node.repositoryId, repositoryId))
      .limit(1)
      .get() !== undefined
  );
}
