import { and, asc, eq, sql } from "drizzle-orm";
import type { Lane } from "../../domain/lanes.ts";
import { fitSummary } from "../../domain/summary.ts";
import { factsOf } from "../../domain/repository-types.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { dispatch, planObject } from "../schema/plans.ts";
import { detail } from "../schema/records.ts";
import { type Batch, type Cutting, isHeavy, sourceOf } from "./cutting.ts";
import { findBatch } from "./end-batch.ts";
import { pairProblem } from "./targets.ts";

/**
 * Maximum number of artifacts in a batch. `heavy` ones take many requests at the cluster, of
 * `light` ones one request takes hundreds.
 */
const MOST_ARTIFACTS = { heavy: 200, light: 1_000 };
/**
 * A small plan is cut into about this many batches, so that several workers share it; but no batch
 * is made smaller than LEAST_ARTIFACTS for that.
 */
const SHARES = 8;
const LEAST_ARTIFACTS = 25;
const MOST_BYTES = 1024 ** 3;
/** A file of at least this size (bytes) is a batch of its own. */
const ALONE_BYTES = 256 * 1024 ** 2;

/** The next part of a plan; `bytes` counts known sizes only. */
export type Planned = {
  object: number;
  fromSeq: number;
  toSeq: number;
  artifacts: number;
  bytes: number;
};
type Due = { object: number; whole: boolean };

const mostArtifacts = (snapshot: RunSnapshot, objectIndex: number, clusterId: string) =>
  MOST_ARTIFACTS[isHeavy(snapshot, objectIndex, clusterId) ? "heavy" : "light"];

const rangeOf = ({ recordId, clusterId, object: objectIndex, objectsEnd }: Cutting) =>
  sql`
    record_id = ${recordId}
    AND cluster_id = ${clusterId}
    AND object >= ${objectIndex}
    AND object < ${objectsEnd}`;

/**
 * Returns an object with artifacts that are due to be tried again, null when there is none.
 * Artifacts with a large blob that must go in one request (`whole`) come last.
 */
export function dueAgain(tx: DbOrTx, cutting: Cutting): Due | null {
  const row = tx.get<{ object: number; whole: number } | undefined>(sql`
    SELECT object, whole FROM detail
    WHERE ${rangeOf(cutting)} AND again = 1 AND not_before <= ${cutting.now}
    ORDER BY whole, object LIMIT 1`);
  return row ? { object: row.object, whole: row.whole === 1 } : null;
}

/**
 * Takes artifacts of an object that are due to be tried again, and dispatches them as a new batch.
 * Returns the number of the batch.
 */
export function cutAgain(
  tx: DbOrTx,
  cutting: Cutting,
  { object: objectIndex, whole }: Due,
  lane: Lane,
): number {
  const { recordId, clusterId, now, snapshot } = cutting;
  const most = whole ? 1 : mostArtifacts(snapshot, objectIndex, clusterId);
  const which = sql`
    record_id = ${recordId}
    AND cluster_id = ${clusterId}
    AND object = ${objectIndex}
    AND again = 1
    AND not_before <= ${now}
    AND whole = ${whole ? 1 : 0}`;
  const due = tx
    .select({ id: detail.id, size: detail.size })
    .from(detail)
    .where(which)
    .orderBy(asc(detail.notBefore))
    .limit(most)
    .all();
  const number = insertDispatch(tx, cutting, {
    object: objectIndex,
    lane,
    fromSeq: null,
    toSeq: null,
    epoch: 0,
  });
  for (const { id } of fitting(due)) {
    tx.update(detail)
      .set({ dispatch: number, epoch: 0, again: false })
      .where(eq(detail.id, id))
      .run();
  }
  return number;
}

/** Whether an ended batch has artifacts that never began and were not cut again yet. */
export function hasRest(tx: DbOrTx, cutting: Cutting): boolean {
  return (
    tx.get(sql`SELECT 1 FROM dispatch WHERE ${rangeOf(cutting)} AND rest = 1 LIMIT 1`) !==
    undefined
  );
}

/**
 * Takes the artifacts that an ended batch had not begun, and dispatches them as a new batch.
 * Returns the number of the new batch, or null if there are none.
 */
export function cutRest(tx: DbOrTx, cutting: Cutting): number | null {
  const batch = tx
    .select()
    .from(dispatch)
    .where(sql`${rangeOf(cutting)} AND rest = 1`)
    .orderBy(dispatch.number)
    .limit(1)
    .get();
  if (!batch) return null;
  const { recordId, number, object: objectIndex, fromSeq, toSeq } = batch;
  tx.update(dispatch)
    .set({ rest: false })
    .where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number)))
    .run();
  // The new batch begins with the ended batch's epoch minus 1: an epoch also counts the attempts that
  // may have sent the artifacts, and the last attempt of the ended batch had not begun these.
  return insertDispatch(tx, cutting, {
    object: objectIndex,
    lane: "SHARED",
    fromSeq,
    toSeq,
    epoch: Math.max(0, batch.epoch - 1),
  });
}

/**
 * Finds the next part of the plan that was never cut for this cluster, in the order of the objects;
 * null when there is none. `peek`: one artifact is enough, the caller only asks whether there is a
 * part.
 */
export function nextPlanned(tx: DbOrTx, cutting: Cutting, peek = false): Planned | null {
  const { recordId, clusterId } = cutting;
  const last = tx.get<{ object: number; seq: number } | undefined>(sql`
    SELECT object, max(to_seq) AS seq FROM dispatch
    WHERE record_id = ${recordId} AND cluster_id = ${clusterId}
      AND object = (SELECT max(object) FROM dispatch WHERE ${rangeOf(cutting)} AND to_seq IS NOT NULL)
    GROUP BY object`);
  for (let from = last?.object ?? cutting.object; ;) {
    const objectIndex = nextObject(tx, cutting, from);
    if (objectIndex === null) return null;
    const part = partAfter(tx, cutting, {
      object: objectIndex,
      after: objectIndex === last?.object ? last.seq : 0,
      peek,
    });
    if (part) return part;
    from = objectIndex + 1;
  }
}

/**
 * Returns the first object from `from` on that has planned artifacts and can be sent to the
 * cluster; null when there is none.
 */
function nextObject(
  tx: DbOrTx,
  { recordId, clusterId, objectsEnd, snapshot }: Cutting,
  from: number,
): number | null {
  for (let next = from; ;) {
    const row = tx.get<{ object: number } | undefined>(sql`
      SELECT object FROM plan_object
      WHERE record_id = ${recordId}
        AND object >= ${next}
        AND object < ${objectsEnd}
        AND planned > 0
      ORDER BY object LIMIT 1`);
    if (!row) return null;
    if (pairProblem(tx, snapshot, recordId, row.object, clusterId) === null)
      return row.object;
    next = row.object + 1;
  }
}

type Part = { object: number; after: number; peek: boolean };

function partAfter(
  tx: DbOrTx,
  { recordId, clusterId, snapshot }: Cutting,
  { object: objectIndex, after, peek }: Part,
): Planned | null {
  const limit = peek
    ? 1
    : batchSize(
        tx,
        recordId,
        objectIndex,
        mostArtifacts(snapshot, objectIndex, clusterId),
      );
  const planned = tx.all<{ seq: number; size: number | null }>(sql`
    SELECT seq, size FROM plan
    WHERE record_id = ${recordId} AND object = ${objectIndex} AND seq > ${after}
    ORDER BY seq LIMIT ${limit}`);
  const rows = fitting(planned);
  const first = rows[0];
  if (!first) return null;
  const bytes = rows.reduce((sum, { size }) => sum + (size ?? 0), 0);
  return {
    object: objectIndex,
    fromSeq: first.seq,
    toSeq: rows.at(-1)?.seq ?? first.seq,
    artifacts: rows.length,
    bytes,
  };
}

/** Dispatches a part of the plan as a batch and returns the batch's number. */
export function cutPlan(
  tx: DbOrTx,
  cutting: Cutting,
  { object: objectIndex, fromSeq, toSeq }: Planned,
  lane: Lane,
): number {
  return insertDispatch(tx, cutting, {
    object: objectIndex,
    lane,
    fromSeq,
    toSeq,
    epoch: 0,
  });
}

function batchSize(
  tx: DbOrTx,
  recordId: string,
  objectIndex: number,
  most: number,
): number {
  const row = tx
    .select({ planned: planObject.planned })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)))
    .get();
  return Math.min(
    most,
    Math.max(LEAST_ARTIFACTS, Math.ceil((row?.planned ?? 0) / SHARES)),
  );
}

/**
 * Returns the first of `rows` that fit into one batch: at least one, at most 1 GiB, and a large
 * file alone.
 */
function fitting<T extends { size: number | null }>(rows: T[]): T[] {
  let bytes = 0;
  const end = rows.findIndex(({ size }, at) => {
    bytes += size ?? 0;
    return (
      at > 0 &&
      (bytes > MOST_BYTES ||
        (size ?? 0) >= ALONE_BYTES ||
        (rows[at - 1]?.size ?? 0) >= ALONE_BYTES)
    );
  });
  return end < 0 ? rows : rows.slice(0, end);
}

type Row = Pick<
  typeof dispatch.$inferInsert,
  "object" | "lane" | "fromSeq" | "toSeq" | "epoch" | "halfOf"
>;

type Place = Pick<Cutting, "recordId" | "clusterId" | "cut" | "snapshot">;

export function insertDispatch(
  tx: DbOrTx,
  { recordId, clusterId, cut, snapshot }: Place,
  row: Row,
): number {
  const last = tx.get<{ last: number | null }>(
    sql`SELECT max(number) AS last FROM dispatch WHERE record_id = ${recordId}`,
  );
  const number = (last?.last ?? 0) + 1;
  tx.insert(dispatch)
    .values({
      ...row,
      recordId,
      number,
      clusterId,
      cut,
      source: sourceOf(snapshot, row.object),
    })
    .run();
  return number;
}

/** Describes a batch for Temporal's UI: "library/nginx: 40 images → shanghai". */
export function summarize(
  tx: DbOrTx,
  { recordId, clusterId, snapshot }: Cutting,
  number: number,
): Batch {
  const to =
    snapshot.clusters.find((cluster) => cluster.id === clusterId)?.name ?? clusterId;
  const batch = findBatch(tx, recordId, number);
  if (!batch) return { number, summary: `→ ${to}` };
  const rows =
    batch.fromSeq === null
      ? sql`
        SELECT artifact_name AS name, version, error_reason AS reason FROM detail
        WHERE record_id = ${recordId} AND dispatch = ${number}`
      : sql`
        SELECT name, version, NULL AS reason FROM plan
        WHERE record_id = ${recordId}
          AND object = ${batch.object}
          AND seq BETWEEN ${batch.fromSeq} AND ${batch.toSeq}`;
  const { n, least, most, versions, reason } = tx.get<{
    n: number;
    least: string;
    most: string;
    versions: number;
    reason: string | null;
  }>(sql`
    SELECT count(*) AS n, min(name) AS least, max(name) AS most, max(version <> '') AS versions,
      max(reason) AS reason
    FROM (${rows})`);
  const subject =
    versions && least === most
      ? least
      : (snapshot.objects[batch.object]?.localRepoName ?? "");
  const kind = versions ? kindOf(snapshot, batch.object) : "file";
  const what = `${subject}: ${n} ${kind}${n === 1 ? "" : "s"} → ${to}`;
  const again = reason === null ? ", again" : `, again: ${reason}`;
  const summary = fitSummary(batch.fromSeq === null ? what + again : what);
  return {
    number,
    summary,
    ...(batch.lane && batch.lane !== "SHARED" ? { lane: batch.lane } : {}),
  };
}

function kindOf({ objects }: RunSnapshot, objectIndex: number): string {
  const from = objects[objectIndex];
  return from ? factsOf(from.repoType).unit : "artifact";
}
