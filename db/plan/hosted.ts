import { and, eq, sql } from "drizzle-orm";
import { joinLeftOut, type LeftOut, NOTHING_LEFT_OUT } from "../../domain/left-out.ts";
import { type Content, factsOf } from "../../domain/repository-types.ts";
import type { PackageConstraint, TaskObject } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { planLoose, planPackage, planVersions } from "./versions.ts";
import { findRepository } from "../content/repositories.ts";
import { planObject } from "../schema/plans.ts";
import { isEnding } from "../records/halts.ts";
import { planPath } from "./paths.ts";
import {
  countingPlanned,
  type Cursor,
  type ObjectKey,
  PAGE,
  type Progress,
  type Where,
} from "./rows.ts";
import { snapshotOf } from "../records/snapshots.ts";

/** Maximum length of the reason why an object could not be planned. */
const MOST_REASON = 1_000;

const START: Omit<Cursor, "step"> = {
  afterName: "",
  afterVersion: "",
  chosen: 0,
  found: false,
  leftOut: NOTHING_LEFT_OUT,
};
/**
 * Rows that each planning step (one package or path) counts against the size of a page, besides
 * those it reads. This bounds steps that find nothing.
 */
const STEP = 20;

type Options = Pick<Where, "lacking">;

/**
 * Plans the next page of a hosted object and returns whether that was the last; true, too, if
 * nothing more may be planned: the plan is complete, the run is ending, or the repository does not
 * exist. The page and the position after it are written in one transaction, so that an interrupted
 * plan continues at that position.
 */
export function planHostedPage(
  db: Db,
  recordId: string,
  objectIndex: number,
  from: TaskObject & { projectId: string },
  now: number,
  { lacking }: Options = { lacking: "fails" },
): boolean {
  const key = { recordId, object: objectIndex };
  return write(db, (tx) => {
    const state = tx.select().from(planObject).where(rowOf(key)).get();
    if (!state || state.complete || isEnding(tx, recordId)) return true;
    const place = `${from.projectId}/${from.localRepoName}`;
    const repository = findRepository(db, from.projectId, from.localRepoName);
    if (repository === null) {
      endPlan(tx, recordId, objectIndex, `repository ${place} does not exist`);
      return true;
    }
    const cursor: Cursor = {
      step: 0,
      ...START,
      ...(state.cursor ? (JSON.parse(state.cursor) as Cursor) : {}),
    };
    const where: Where = { ...key, repositoryId: repository.id, place, now, lacking };
    let next = cursor;
    countingPlanned(
      tx,
      key,
      () => (next = planSteps(tx, where, from, repository.type, cursor)),
    );
    const complete = stepAt(from, repository.type, next.step) === undefined;
    tx.update(planObject)
      .set({ cursor: JSON.stringify(next), complete })
      .where(rowOf(key))
      .run();
    return complete;
  });
}

const rowOf = ({ recordId, object: objectIndex }: ObjectKey) =>
  and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex));

/**
 * Returns which tags the plans of a run's hosted objects have left out, because they are sent with
 * the image that they are attached to.
 */
export function leftOutOf(db: Db, recordId: string): LeftOut {
  const leftOut = sql<string | null>`${planObject.cursor} ->> '$.leftOut'`;
  const isHosted = sql`json_valid(${planObject.cursor})`;
  const rows = db
    .select({ leftOut })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), isHosted))
    .orderBy(planObject.object)
    .all();
  return joinLeftOut(
    rows.flatMap(({ leftOut: text }) =>
      text === null ? [] : (JSON.parse(text) as LeftOut),
    ),
  );
}

/**
 * Ends the plan of an object with the reason why the object cannot be listed. What was planned so
 * far does not count, and nothing of it will be sent.
 */
export function endPlan(
  tx: DbOrTx,
  recordId: string,
  objectIndex: number,
  problem: string,
): void {
  tx.update(planObject)
    .set({ complete: true, problem, planned: 0, bytes: 0 })
    .where(rowOf({ recordId, object: objectIndex }))
    .run();
}

/**
 * Ends the plan of an object that could not be planned or listed, however often it was tried. Does
 * nothing when the plan is complete or the run is ending. `reason`: the end of a sentence that
 * begins with the repository.
 */
export function failPlan(
  db: Db,
  recordId: string,
  objectIndex: number,
  reason: string,
): void {
  write(db, (tx) => {
    const state = tx
      .select({ complete: planObject.complete })
      .from(planObject)
      .where(rowOf({ recordId, object: objectIndex }))
      .get();
    if (!state || state.complete || isEnding(tx, recordId)) return;
    const snapshot = snapshotOf(tx, recordId);
    endPlan(
      tx,
      recordId,
      objectIndex,
      `${snapshot?.projectId}/${snapshot?.objects[objectIndex]?.localRepoName} ${reason}`.slice(
        0,
        MOST_REASON,
      ),
    );
  });
}

/**
 * One step in planning an object; steps are planned one after the other. `loose`: files that belong
 * to no version.
 */
type Step =
  | { kind: "path"; path: string }
  | { kind: "package"; wanted: PackageConstraint }
  | { kind: "versions" }
  | { kind: "loose" };

const WHOLE = {
  files: { kind: "path", path: "/" },
  versions: { kind: "versions" },
  looseFiles: { kind: "loose" },
} as const satisfies Record<Content, Step>;

/** Returns the step with this number, from 0, in planning an object; undefined after the last. */
function stepAt(
  { packageConstraints, pathConstraints }: TaskObject,
  type: RepositoryType,
  at: number,
): Step | undefined {
  const [packages, paths] = [packageConstraints ?? [], pathConstraints ?? []];
  if (packages.length + paths.length === 0) return wholeRepository(type)[at];
  const wanted = packages[at];
  if (wanted) return { kind: "package", wanted };
  const path = paths[at - packages.length];
  return path && { kind: "path", path: path.path };
}

const wholeRepository = (type: RepositoryType): readonly Step[] =>
  (factsOf(type).hosted ?? []).map((content) => WHOLE[content]);

/**
 * Plans steps until a page is full, the last one perhaps in part. Returns the position after them.
 */
function planSteps(
  tx: DbOrTx,
  where: Where,
  from: TaskObject,
  type: RepositoryType,
  begin: Cursor,
): Cursor {
  let cursor = begin;
  for (let room = PAGE; room > 0;) {
    const step = stepAt(from, type, cursor.step);
    if (step === undefined) return cursor;
    const rest = planStep(tx, where, step, type, cursor, room);
    if (rest.goesOn) return rest.cursor;
    room -= rest.looked + STEP;
    cursor = { ...START, step: cursor.step + 1, leftOut: rest.cursor.leftOut };
  }
  return cursor;
}

function planStep(
  tx: DbOrTx,
  where: Where,
  step: Step,
  type: RepositoryType,
  cursor: Cursor,
  room: number,
): Progress {
  if (step.kind === "versions") return planVersions(tx, where, type, cursor, room);
  if (step.kind === "loose") return planLoose(tx, where, type, cursor, room);
  if (step.kind === "package")
    return planPackage(tx, where, type, step.wanted, cursor, room);
  return planPath(tx, where, type, step.path, cursor, room);
}
