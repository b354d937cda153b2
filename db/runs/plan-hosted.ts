import { and, eq, sql } from "drizzle-orm";
import type { TaskObject } from "../../domain/task.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { repository } from "../schema/content.ts";
import { planObject } from "../schema/replication.ts";
import { isEnding } from "./halts.ts";

/** Nodes looked at in one transaction (design.md §5.3). */
const PAGE = 5_000;

type Progress = { complete: boolean; cursor: Cursor };
/** Which path is being planned, how far (a node's id, or a name where only one folder is looked at), and whether anything was there. */
type Cursor = { constraint: number; afterNode: number; afterName: string; found: boolean };

const START: Omit<Cursor, "constraint"> = { afterNode: 0, afterName: "", found: false };

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
    if (!state || state.complete || isEnding(tx, recordId)) return true;
    const repositoryId = findRepository(tx, from.projectId, from.localRepoName);
    if (repositoryId === null) {
      endPlan(tx, recordId, object, `repository ${from.projectId}/${from.localRepoName} does not exist`);
      return true;
    }
    const cursor: Cursor = { constraint: 0, ...START, ...(state.cursor ? (JSON.parse(state.cursor) as Cursor) : {}) };
    const next = planPage(tx, { recordId, object, repositoryId, now }, from, cursor);
    tx.update(planObject)
      .set({ cursor: JSON.stringify(next.cursor), complete: next.complete, ...planTotals(recordId, object) })
      .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
      .run();
    return next.complete;
  });
}

/** Ends an object's plan with the reason why it cannot be listed; half a plan is none, and nothing of it will be sent. */
export function endPlan(tx: DbOrTx, recordId: string, object: number, problem: string): void {
  tx.update(planObject)
    .set({ complete: true, problem, planned: 0, bytes: 0 })
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
  const paths = constraints.length === 0 ? ["/"] : constraints.map(({ path }) => path);
  const path = paths[cursor.constraint];
  if (path === undefined) return { complete: true, cursor };
  const rest = planPath(tx, where, path, cursor);
  if (rest.goesOn) return { complete: false, cursor: rest.cursor };
  if (!rest.cursor.found) insertProblem(tx, where, path, `nothing matches path ${path} in ${from.projectId}/${from.localRepoName}`);
  const constraint = cursor.constraint + 1;
  return { complete: constraint >= paths.length, cursor: { constraint, ...START } };
}

type Step = { goesOn: boolean; cursor: Cursor };

/** A folder with all below it, a file, or the files that match. */
function planPath(tx: DbOrTx, where: Where, path: string, cursor: Cursor): Step {
  const found = tx.get<{ folder: number } | undefined>(
    sql`SELECT folder FROM node WHERE repository_id = ${where.repositoryId} AND full_path = ${path} AND (expire_date IS NULL OR expire_date > ${where.now})`,
  );
  if (path === "/" || found?.folder) return planBelow(tx, where, path, cursor);
  if (!found) return planMatches(tx, where, path, cursor);
  insertNodes(tx, where, sql`full_path = ${path}`);
  return { goesOn: false, cursor: { ...cursor, found: true } };
}

/** The next page of files below `folder`. */
function planBelow(tx: DbOrTx, where: Where, folder: string, cursor: Cursor): Step {
  const prefix = folder === "/" ? "/" : `${folder}/`;
  const page = tx.get<{ last: number | null; n: number }>(
    sql`SELECT max(id) AS last, count(*) AS n FROM (SELECT id FROM node WHERE repository_id = ${where.repositoryId} AND id > ${cursor.afterNode} ORDER BY id LIMIT ${PAGE})`,
  );
  if (page.last !== null) insertNodes(tx, where, sql`id > ${cursor.afterNode} AND id <= ${page.last} AND full_path >= ${prefix} AND full_path < ${afterPrefix(prefix)}`);
  return { goesOn: page.n === PAGE, cursor: { ...cursor, afterNode: page.last ?? cursor.afterNode, found: true } };
}

/** The next page of a folder in which `*` in the last segment matches files. What an earlier path has planned is found nevertheless. */
function planMatches(tx: DbOrTx, where: Where, path: string, cursor: Cursor): Step {
  const slash = path.lastIndexOf("/");
  const pattern = path.slice(slash + 1);
  if (!pattern.includes("*")) return { goesOn: false, cursor };
  const inFolder = sql`repository_id = ${where.repositoryId} AND parent = ${path.slice(0, slash) || "/"} AND name > ${cursor.afterName}`;
  const page = tx.get<{ last: string | null; n: number }>(
    sql`SELECT max(name) AS last, count(*) AS n FROM (SELECT name FROM node WHERE ${inFolder} ORDER BY name LIMIT ${PAGE})`,
  );
  if (page.last === null) return { goesOn: false, cursor };
  const matches = sql`${inFolder} AND name <= ${page.last} AND wildcard(${pattern}, name)`;
  insertNodes(tx, where, matches);
  const found = cursor.found || tx.get(sql`SELECT 1 FROM node WHERE folder = 0 AND (expire_date IS NULL OR expire_date > ${where.now}) AND ${matches} LIMIT 1`) !== undefined;
  return { goesOn: page.n === PAGE, cursor: { ...cursor, afterName: page.last, found } };
}

/** The smallest string after all that begin with `prefix` (which ends with "/"). */
const afterPrefix = (prefix: string) => `${prefix.slice(0, -1)}0`;

function insertNodes(tx: DbOrTx, { recordId, object, repositoryId, now }: Where, condition: ReturnType<typeof sql>): void {
  tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, size, digest)
    SELECT ${recordId}, ${object},
      (SELECT coalesce(max(seq), 0) FROM plan WHERE record_id = ${recordId} AND object = ${object}) + row_number() OVER (ORDER BY id),
      full_path, '', size, 'sha256:' || sha256
    FROM node WHERE repository_id = ${repositoryId} AND folder = 0 AND (expire_date IS NULL OR expire_date > ${now}) AND ${condition}`);
}

function insertProblem(tx: DbOrTx, { recordId, object }: Where, name: string, problem: string): void {
  tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, problem)
    VALUES (${recordId}, ${object}, (SELECT coalesce(max(seq), 0) + 1 FROM plan WHERE record_id = ${recordId} AND object = ${object}), ${name}, '', ${problem})`);
}

function findRepository(tx: DbOrTx, projectId: string, name: string): number | null {
  const row = tx
    .select({ id: repository.id })
    .from(repository)
    .where(and(eq(repository.projectId, projectId), eq(repository.name, name)))
    .get();
  return row?.id ?? null;
}
