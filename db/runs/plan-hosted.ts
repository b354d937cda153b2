import { and, eq, sql } from "drizzle-orm";
import type { PackageConstraint, TaskObject } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { planLoose, planPackage, planVersions } from "../packages/plan-versions.ts";
import { findRepository } from "../repositories.ts";
import { planObject } from "../schema/replication.ts";
import { isEnding } from "./halts.ts";
import { snapshotOf } from "./targets.ts";
import { type Cursor, insertProblem, lastSeq, PAGE, type Progress, type Where } from "./plan-rows.ts";

/** Characters of the reason why an object has no plan. */
const MOST_REASON = 1_000;

const START: Omit<Cursor, "step"> = { afterNode: 0, afterName: "", afterVersion: "", found: false };

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
    const place = `${from.projectId}/${from.localRepoName}`;
    const repository = findRepository(db, from.projectId, from.localRepoName);
    if (repository === null) {
      endPlan(tx, recordId, object, `repository ${place} does not exist`);
      return true;
    }
    const cursor: Cursor = { step: 0, ...START, ...(state.cursor ? (JSON.parse(state.cursor) as Cursor) : {}) };
    const next = planPage(tx, { recordId, object, repositoryId: repository.id, place, now }, stepsOf(from, repository.type), repository.type, cursor);
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

/** Ends the plan of an object that breaks whoever works on it; one that came to its end meanwhile stays. */
export function failPlan(db: Db, recordId: string, object: number, reason: string): void {
  write(db, (tx) => {
    const which = and(eq(planObject.recordId, recordId), eq(planObject.object, object));
    const state = tx.select({ complete: planObject.complete }).from(planObject).where(which).get();
    if (!state || state.complete || isEnding(tx, recordId)) return;
    const snapshot = snapshotOf(tx, recordId);
    endPlan(tx, recordId, object, `${snapshot?.projectId}/${snapshot?.objects[object]?.localRepoName} ${reason}`.slice(0, MOST_REASON));
  });
}

/** Count and size of the plan as they are, for the same transaction's update of `plan_object`. */
export function planTotals(recordId: string, object: number) {
  return {
    planned: sql<number>`(SELECT count(*) FROM plan WHERE record_id = ${recordId} AND object = ${object})`,
    bytes: sql<number>`(SELECT coalesce(sum(size), 0) FROM plan WHERE record_id = ${recordId} AND object = ${object})`,
  };
}

/** What an object means, one after the other; `loose`: files that belong to no version. */
type Step = { kind: "path"; path: string } | { kind: "package"; wanted: PackageConstraint } | { kind: "versions" } | { kind: "loose" };

function stepsOf({ packageConstraints, pathConstraints }: TaskObject, type: RepositoryType): Step[] {
  const packages = (packageConstraints ?? []).map((wanted): Step => ({ kind: "package", wanted }));
  const paths = (pathConstraints ?? []).map(({ path }): Step => ({ kind: "path", path }));
  if (packages.length + paths.length > 0) return [...packages, ...paths];
  if (type === "GENERIC") return [{ kind: "path", path: "/" }];
  return type === "MAVEN" ? [{ kind: "versions" }, { kind: "loose" }] : [{ kind: "versions" }];
}

function planPage(tx: DbOrTx, where: Where, steps: readonly Step[], type: RepositoryType, cursor: Cursor): { complete: boolean; cursor: Cursor } {
  const step = steps[cursor.step];
  if (step === undefined) return { complete: true, cursor };
  const rest = planStep(tx, where, step, type, cursor);
  if (rest.goesOn) return { complete: false, cursor: rest.cursor };
  const next = cursor.step + 1;
  return { complete: next >= steps.length, cursor: { step: next, ...START } };
}

function planStep(tx: DbOrTx, where: Where, step: Step, type: RepositoryType, cursor: Cursor): Progress {
  if (step.kind === "versions") return planVersions(tx, where, type, cursor);
  if (step.kind === "loose") return planLoose(tx, where, cursor);
  if (step.kind === "package") return planPackage(tx, where, type, step.wanted, cursor);
  const rest = planPath(tx, { ...where, sent: type === "MAVEN" ? NOT_COMPUTED : sql`1` }, step.path, cursor);
  if (!rest.goesOn && !rest.cursor.found) insertProblem(tx, where, { name: step.path }, `nothing matches path ${step.path} in ${where.place}`);
  return rest;
}

/** `sent`: which files are meant at all. */
type Paths = Where & { sent: ReturnType<typeof sql> };

/** Each MAVEN repository computes its checksums and metadata itself. */
const NOT_COMPUTED = sql`(name <> 'maven-metadata.xml' AND name NOT GLOB '*.md5' AND name NOT GLOB '*.sha1' AND name NOT GLOB '*.sha256' AND name NOT GLOB '*.sha512')`;

/** A folder with all below it, a file, or the files that match. */
function planPath(tx: DbOrTx, where: Paths, path: string, cursor: Cursor): Progress {
  const found = tx.get<{ folder: number } | undefined>(
    sql`SELECT folder FROM node WHERE repository_id = ${where.repositoryId} AND full_path = ${path} AND (expire_date IS NULL OR expire_date > ${where.now}) AND ${where.sent}`,
  );
  if (path === "/" || found?.folder) return planBelow(tx, where, path, cursor);
  if (!found) return planMatches(tx, where, path, cursor);
  insertNodes(tx, where, sql`full_path = ${path}`);
  return { goesOn: false, cursor: { ...cursor, found: true } };
}

/** The next page of files below `folder`. */
function planBelow(tx: DbOrTx, where: Paths, folder: string, cursor: Cursor): Progress {
  const prefix = folder === "/" ? "/" : `${folder}/`;
  const page = tx.get<{ last: number | null; n: number }>(
    sql`SELECT max(id) AS last, count(*) AS n FROM (SELECT id FROM node WHERE repository_id = ${where.repositoryId} AND id > ${cursor.afterNode} ORDER BY id LIMIT ${PAGE})`,
  );
  if (page.last !== null) insertNodes(tx, where, sql`id > ${cursor.afterNode} AND id <= ${page.last} AND full_path >= ${prefix} AND full_path < ${afterPrefix(prefix)}`);
  return { goesOn: page.n === PAGE, cursor: { ...cursor, afterNode: page.last ?? cursor.afterNode, found: true } };
}

/** The next page of a folder in which `*` in the last segment matches files. What an earlier path has planned is found nevertheless. */
function planMatches(tx: DbOrTx, where: Paths, path: string, cursor: Cursor): Progress {
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
  const found = cursor.found || tx.get(sql`SELECT 1 FROM node WHERE folder = 0 AND (expire_date IS NULL OR expire_date > ${where.now}) AND ${where.sent} AND ${matches} LIMIT 1`) !== undefined;
  return { goesOn: page.n === PAGE, cursor: { ...cursor, afterName: page.last, found } };
}

/** The smallest string after all that begin with `prefix` (which ends with "/"). */
const afterPrefix = (prefix: string) => `${prefix.slice(0, -1)}0`;

function insertNodes(tx: DbOrTx, where: Paths, condition: ReturnType<typeof sql>): void {
  const { recordId, object, repositoryId, now, sent } = where;
  tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, size, digest)
    SELECT ${recordId}, ${object}, ${lastSeq(where)} + row_number() OVER (ORDER BY id), full_path, '', size, 'sha256:' || sha256
    FROM node WHERE repository_id = ${repositoryId} AND folder = 0 AND (expire_date IS NULL OR expire_date > ${now}) AND ${sent} AND ${condition}`);
}
