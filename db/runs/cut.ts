import { and, asc, eq, sql } from "drizzle-orm";
import { isImageType } from "../../domain/capabilities.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { detail, dispatch, planObject } from "../schema/replication.ts";
import { haltReason } from "./halts.ts";
import { pairProblem, snapshotOf } from "./targets.ts";

/** An image is many requests; of files and of other packages' versions, a request takes hundreds. */
const MOST_ARTIFACTS = { images: 200, files: 1_000 };
/** A small plan is cut into about this many batches, none smaller than the least, so that several workers share it. */
const SHARES = 8;
const LEAST_ARTIFACTS = 25;
const MOST_BYTES = 1024 ** 3;
/** A file of this size or more is a batch of its own (design.md §5.4). */
const ALONE_BYTES = 256 * 1024 ** 2;

export type CutRequest = { recordId: string; object: number; clusterId: string; cut: number; most: number };
export type Batch = { number: number; summary: string };
/** `left`: something remains to be cut, now or later; `due`: when the earliest artifact that waits may be tried again (epoch ms). */
export type Cut = { batches: Batch[]; left: boolean; due: number | null };

const NOTHING: Cut = { batches: [], left: false, due: null };

/** Cuts the next batches of an object for a cluster: first what is due to be tried again, then on through the plan. The same cut asked twice answers the same batches. */
export function cutBatches(db: Db, request: CutRequest, now: number): Cut {
  const { recordId, object, clusterId } = request;
  return write(db, (tx) => {
    if (haltReason(tx, recordId, clusterId) !== null) return NOTHING;
    const snapshot = snapshotOf(tx, recordId);
    if (!snapshot || pairProblem(tx, snapshot, recordId, object, clusterId) !== null) return NOTHING;
    const from = snapshot.objects[object];
    const images = from !== undefined && isImageType(from.repoType);
    const most = images ? MOST_ARTIFACTS.images : MOST_ARTIFACTS.files;
    const numbers = cutBefore(tx, request);
    if (numbers.length === 0) numbers.push(...cutNew(tx, request, most, now));
    const to = snapshot.clusters.find((cluster) => cluster.id === clusterId)?.name ?? clusterId;
    const ends = { from: from?.localRepoName ?? "", to, images };
    return {
      batches: numbers.map((number) => ({ number, summary: summarize(tx, recordId, number, ends) })),
      ...remaining(tx, request),
    };
  });
}

function cutBefore(tx: DbOrTx, { recordId, object, clusterId, cut }: CutRequest): number[] {
  return tx
    .select({ number: dispatch.number })
    .from(dispatch)
    .where(and(eq(dispatch.recordId, recordId), eq(dispatch.object, object), eq(dispatch.clusterId, clusterId), eq(dispatch.cut, cut)))
    .orderBy(asc(dispatch.number))
    .all()
    .map((row) => row.number);
}

function cutNew(tx: DbOrTx, request: CutRequest, most: number, now: number): number[] {
  const numbers: number[] = [];
  while (numbers.length < request.most) {
    const number = cutAgain(tx, request, most, now) ?? cutPlan(tx, request, most);
    if (number === null) break;
    numbers.push(number);
  }
  return numbers;
}

/** Gives what is due to be tried again a new dispatch number. */
function cutAgain(tx: DbOrTx, { recordId, object, clusterId, cut }: CutRequest, most: number, now: number): number | null {
  const due = tx
    .select({ id: detail.id, size: detail.size })
    .from(detail)
    .where(sql`record_id = ${recordId} AND cluster_id = ${clusterId} AND object = ${object} AND again = 1 AND not_before <= ${now}`)
    .orderBy(asc(detail.notBefore))
    .limit(most)
    .all();
  if (due.length === 0) return null;
  const number = insertDispatch(tx, { recordId, object, clusterId, cut, fromSeq: null, toSeq: null });
  for (const { id } of fitting(due)) {
    tx.update(detail).set({ dispatch: number, lease: 0, again: false }).where(eq(detail.id, id)).run();
  }
  return number;
}

function cutPlan(tx: DbOrTx, { recordId, object, clusterId, cut }: CutRequest, most: number): number | null {
  const rows = tx.all<{ seq: number; size: number | null }>(
    sql`SELECT seq, size FROM plan WHERE record_id = ${recordId} AND object = ${object} AND seq > ${lastCut(tx, recordId, object, clusterId)} ORDER BY seq LIMIT ${batchSize(tx, recordId, object, most)}`,
  );
  const first = rows[0];
  if (!first) return null;
  return insertDispatch(tx, { recordId, object, clusterId, cut, fromSeq: first.seq, toSeq: fitting(rows).at(-1)?.seq ?? first.seq });
}

function batchSize(tx: DbOrTx, recordId: string, object: number, most: number): number {
  const row = tx
    .select({ planned: planObject.planned })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
    .get();
  return Math.min(most, Math.max(LEAST_ARTIFACTS, Math.ceil((row?.planned ?? 0) / SHARES)));
}

/** The first of `rows` that make one batch: at most 1 GiB, and what is big goes alone. */
function fitting<T extends { size: number | null }>(rows: T[]): T[] {
  let bytes = 0;
  const end = rows.findIndex(({ size }, at) => {
    bytes += size ?? 0;
    return at > 0 && (bytes > MOST_BYTES || (size ?? 0) >= ALONE_BYTES || (rows[at - 1]?.size ?? 0) >= ALONE_BYTES);
  });
  return end < 0 ? rows : rows.slice(0, end);
}

function lastCut(tx: DbOrTx, recordId: string, object: number, clusterId: string): number {
  const row = tx.get<{ last: number | null }>(
    sql`SELECT max(to_seq) AS last FROM dispatch WHERE record_id = ${recordId} AND object = ${object} AND cluster_id = ${clusterId}`,
  );
  return row?.last ?? 0;
}

function insertDispatch(tx: DbOrTx, row: Omit<typeof dispatch.$inferInsert, "number">): number {
  const last = tx.get<{ last: number | null }>(sql`SELECT max(number) AS last FROM dispatch WHERE record_id = ${row.recordId}`);
  const number = (last?.last ?? 0) + 1;
  tx.insert(dispatch).values({ ...row, number }).run();
  return number;
}

/** A run that was started again counts its cuts from the first: what the earlier one had cut later than this is still to be asked for. */
function remaining(tx: DbOrTx, { recordId, object, clusterId, cut }: CutRequest): { left: boolean; due: number | null } {
  const waiting = tx.get<{ due: number | null }>(
    sql`SELECT min(not_before) AS due FROM detail WHERE record_id = ${recordId} AND cluster_id = ${clusterId} AND object = ${object} AND again = 1`,
  );
  const more = tx.get(
    sql`SELECT 1 FROM plan WHERE record_id = ${recordId} AND object = ${object} AND seq > ${lastCut(tx, recordId, object, clusterId)} LIMIT 1`,
  );
  const later = tx.get(
    sql`SELECT 1 FROM dispatch WHERE record_id = ${recordId} AND object = ${object} AND cluster_id = ${clusterId} AND cut > ${cut} LIMIT 1`,
  );
  const due = waiting?.due ?? null;
  const now = more !== undefined || later !== undefined;
  return { left: now || due !== null, due: now ? null : due };
}

type Ends = { from: string; to: string; images: boolean };

/** What the batch is, for Temporal's UI: "library/nginx: 40 images → shanghai". */
function summarize(tx: DbOrTx, recordId: string, number: number, { from, to, images }: Ends): string {
  const batch = tx.select().from(dispatch).where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number))).get();
  if (!batch) return `${from} → ${to}`;
  const rows =
    batch.fromSeq === null
      ? sql`SELECT artifact_name AS name, version FROM detail WHERE record_id = ${recordId} AND dispatch = ${number}`
      : sql`SELECT name, version FROM plan WHERE record_id = ${recordId} AND object = ${batch.object} AND seq BETWEEN ${batch.fromSeq} AND ${batch.toSeq}`;
  const { n, least, most, versions } = tx.get<{ n: number; least: string; most: string; versions: number }>(
    sql`SELECT count(*) AS n, min(name) AS least, max(name) AS most, max(version <> '') AS versions FROM (${rows})`,
  );
  const subject = versions && least === most ? least : from;
  const kind = versions ? (images ? "image" : "version") : "file";
  return `${subject}: ${n} ${kind}${n === 1 ? "" : "s"} → ${to}${batch.fromSeq === null ? ", again" : ""}`.slice(0, 190);
}
