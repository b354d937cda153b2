import { and, eq, sql } from "drizzle-orm";
import type { TaskObject } from "../../domain/task.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { repository } from "../schema/content.ts";
import { planObject } from "../schema/replication.ts";

/** Nodes looked at in one transaction (design.md §5.3). */
const PAGE = 5_000;

type Progress = { complete: boolean; cursor: Cursor };
/** Which constraint is being planned, and the node id up to which that is done. */
type Cursor = { constraint: number; afterNode: number };

/**
 * Plans the next page of a hosted object and says whether that was the last. What a page planned and how far it came are one
 * transaction, so that a killed plan goes on where it was.
 */
export function planHostedPage(db: Db, recordId: string, object: number, from: TaskObject & { projectId: string }, now: number): boolean {
  return write(db, (tx) => {
    const state = tx
      .select()
      .from(planObject)
      .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
      .get();
    if (!state || state.complete) return true;
    const repositoryId = findRepository(tx, from.projectId, from.localRepoName);
    if (repositoryId === null) {
      endPlan(tx, recordId, object, `repository ${from.projectId}/${from.localRepoName} does not exist`);
      return true;
    }
    const cursor: Cursor = state.cursor ? (JSON.parse(state.cursor) as Cursor) : { constraint: 0, afterNode: 0 };
    const next = planPage(tx, { recordId, object, repositoryId, now }, from, cursor);
    tx.update(planObject)
      .set({ cursor: JSON.stringify(next.cursor), complete: next.complete, ...planTotals(recordId, object) })
      .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
      .run();
    return next.complete;
  });
}

/** Ends an object's plan with the reason why it cannot be listed. */
export function endPlan(tx: DbOrTx, recordId: string, object: number, problem: string | null): void {
  tx.update(planObject)
    .set({ complete: true, problem })
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
    .run();
}

/** Count and size of the plan as they are, for the same transaction's update of `plan_object`. */
export function planTotals(recordId: string, object: number) {
  return {
    planned: sql<number>`(SELECT count(*) FROM plan WHERE record_id = ${recordId} AND object = ${object})`,
    bytes: sql<number>`(SELECT coalesce(sum(size), 0) FROM plan WHERE record_id = ${recordId} AND object = ${object})`,
  };
}

type Where = { recordId: string; object: number; repositoryId: number; now: number };

function planPage(tx: DbOrTx, where: Where, from: TaskObject & { projectId: string }, cursor: Cursor): Progress {
  const constraints = from.pathConstraints ?? [];
  if (constraints.length === 0) {
    const last = insertFiles(tx, where, "/", cursor.afterNode);
    return { complete: last === null, cursor: { constraint: 0, afterNode: last ?? 0 } };
  }
  const path = constraints[cursor.constraint]?.path;
  if (path === undefined) return { complete: true, cursor };
  const after = { constraint: cursor.constraint + 1, afterNode: 0 };
  const found = tx.get<{ folder: number } | undefined>(
    sql`SELECT folder FROM node WHERE repository_id = ${where.repositoryId} AND full_path = ${path} AND (expire_date IS NULL OR expire_date > ${where.now})`,
  );
  if (path === "/" || found?.folder) {
    const last = insertFiles(tx, where, path, cursor.afterNode);
    const complete = last === null && after.constraint >= constraints.length;
    return { complete, cursor: last === null ? after : { ...cursor, afterNode: last } };
  }
  const planned = found ? insertOne(tx, where, path) : insertMatches(tx, where, path);
  if (planned === 0 && !isPlanned(tx, where, path)) {
    insertProblem(tx, where, path, `nothing matches path ${path} in ${from.projectId}/${from.localRepoName}`);
  }
  return { complete: after.constraint >= constraints.length, cursor: after };
}

/** The next page of files below `folder`; answers the last node looked at, null when there are no more. */
function insertFiles(tx: DbOrTx, where: Where, folder: string, afterNode: number): number | null {
  const prefix = folder === "/" ? "/" : `${folder}/`;
  const page = tx.get<{ last: number | null; n: number }>(
    sql`SELECT max(id) AS last, count(*) AS n FROM (SELECT id FROM node WHERE repository_id = ${where.repositoryId} AND id > ${afterNode} ORDER BY id LIMIT ${PAGE})`,
  );
  if (!page?.last) return null;
  insertNodes(tx, where, sql`id > ${afterNode} AND id <= ${page.last} AND full_path >= ${prefix} AND full_path < ${afterPrefix(prefix)}`);
  return page.n < PAGE ? null : page.last;
}

/** The smallest string after all that begin with `prefix` (which ends with "/"). */
const afterPrefix = (prefix: string) => `${prefix.slice(0, -1)}0`;

const insertOne = (tx: DbOrTx, where: Where, path: string) => insertNodes(tx, where, sql`full_path = ${path}`);

/** `*` in the last segment matches files directly in that folder. */
function insertMatches(tx: DbOrTx, where: Where, path: string): number {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  if (!name.includes("*")) return 0;
  return insertNodes(tx, where, sql`parent = ${path.slice(0, slash) || "/"} AND wildcard(${name}, name)`);
}

function insertNodes(tx: DbOrTx, { recordId, object, repositoryId, now }: Where, condition: ReturnType<typeof sql>): number {
  return tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, size, digest)
    SELECT ${recordId}, ${object},
      (SELECT coalesce(max(seq), 0) FROM plan WHERE record_id = ${recordId} AND object = ${object}) + row_number() OVER (ORDER BY id),
      full_path, '', size, 'sha256:' || sha256
    FROM node WHERE repository_id = ${repositoryId} AND folder = 0 AND (expire_date IS NULL OR expire_date > ${now}) AND ${condition}`).changes;
}

function insertProblem(tx: DbOrTx, { recordId, object }: Where, name: string, problem: string): void {
  tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, problem)
    VALUES (${recordId}, ${object}, (SELECT coalesce(max(seq), 0) + 1 FROM plan WHERE record_id = ${recordId} AND object = ${object}), ${name}, '', ${problem})`);
}

/** A path named twice, or matched by an earlier constraint, is planned already. */
function isPlanned(tx: DbOrTx, { recordId, object }: Where, path: string): boolean {
  const row = tx.get(sql`SELECT 1 FROM plan WHERE record_id = ${recordId} AND object = ${object} AND name = ${path}`);
  return row !== undefined;
}

function findRepository(tx: DbOrTx, projectId: string, name: string): number | null {
  const row = tx
    .select({ id: repository.id })
    .from(repository)
    .where(and(eq(repository.projectId, projectId), eq(repository.name, name)))
    .get();
  return row?.id ?? null;
}
