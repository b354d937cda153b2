import { and, desc, eq, inArray, lt, not, type SQL, sql } from "drizzle-orm";
import type { RunSnapshot } from "../../domain/task.ts";
import type { ExecutionStatus } from "../../domain/vocabulary.ts";
import type { DbOrTx } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { snapshotOf } from "./snapshots.ts";
import { detail, record, tally } from "../schema/records.ts";
import { turn } from "../turns.ts";

export type DetailRow = Omit<
  typeof detail.$inferSelect,
  | "uploads"
  | "dispatch"
  | "epoch"
  | "tries"
  | "notBefore"
  | "firstFailure"
  | "sizePlanned"
  | "unsent"
  | "whole"
>;

const columns = {
  id: detail.id,
  recordId: detail.recordId,
  clusterId: detail.clusterId,
  object: detail.object,
  seq: detail.seq,
  artifactName: detail.artifactName,
  version: detail.version,
  status: detail.status,
  size: detail.size,
  digest: detail.digest,
  conflict: detail.conflict,
  skip: detail.skip,
  conflictStrategy: detail.conflictStrategy,
  blobSuccess: detail.blobSuccess,
  blobSkip: detail.blobSkip,
  blobFailed: detail.blobFailed,
  nodeSuccess: detail.nodeSuccess,
  nodeSkip: detail.nodeSkip,
  nodeFailed: detail.nodeFailed,
  bytesSent: detail.bytesSent,
  bytesRead: detail.bytesRead,
  compared: detail.compared,
  verified: detail.verified,
  note: detail.note,
  startTime: detail.startTime,
  endTime: detail.endTime,
  errorReason: detail.errorReason,
  again: detail.again,
};

/**
 * Returns what all details of a record share; null when there is no such record. `kept`: whether
 * the details are stored.
 */
export function detailContext(
  db: DbOrTx,
  recordId: string,
): { snapshot: RunSnapshot; kept: boolean } | null {
  const snapshot = snapshotOf(db, recordId);
  const row = db
    .select({ status: record.status })
    .from(record)
    .where(eq(record.id, recordId))
    .get();
  return snapshot && row
    ? { snapshot, kept: snapshot.record || row.status === "RUNNING" }
    : null;
}

const LIST_PAGE = 500;

/**
 * Yields all details of a record, the newest first, page by page; no statement or transaction is
 * open between pages.
 */
export async function* detailPages(
  db: DbOrTx,
  recordId: string,
): AsyncGenerator<DetailRow[]> {
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const rows = db
      .select(columns)
      .from(detail)
      .where(and(eq(detail.recordId, recordId), lt(detail.id, before)))
      .orderBy(desc(detail.id))
      .limit(LIST_PAGE)
      .all();
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < LIST_PAGE) return;
    before = last.id;
    await turn("answer");
  }
}

type DetailPage = { total: number; rows: DetailRow[] };

/**
 * Returns a page of all details of a record, or of those in one status, the newest first. The total
 * comes from the record's counters, so no row is counted.
 */
export function pageDetails(
  db: DbOrTx,
  recordId: string,
  status: ExecutionStatus | undefined,
  offset: number,
  limit: number,
): DetailPage {
  const total = countDetails(db, recordId, status);
  const size = Math.min(limit, total - offset);
  if (size <= 0) return { total, rows: [] };
  const where = sql`record_id = ${recordId} ${status === undefined ? sql`` : sql`AND status = ${status}`}`;
  // Rows are skipped from the nearer end of the index: walking an index is quick, but not free.
  const page =
    offset <= total / 2
      ? sql`ORDER BY id DESC LIMIT ${size} OFFSET ${offset}`
      : sql`ORDER BY id LIMIT ${size} OFFSET ${total - offset - size}`;
  const ids = db
    .all<{ id: number }>(sql`SELECT id FROM detail WHERE ${where} ${page}`)
    .map(({ id }) => id);
  return { total, rows: readRows(db, ids) };
}

function countDetails(
  db: DbOrTx,
  recordId: string,
  status: ExecutionStatus | undefined,
): number {
  const counter = {
    SUCCESS: sql`success`,
    FAILED: sql`failed`,
    RUNNING: sql`running`,
    any: sql`success + failed + running`,
  }[status ?? "any"];
  const row = db
    .select({ n: sql<number>`total(${counter})` })
    .from(tally)
    .where(eq(tally.recordId, recordId))
    .get();
  return row?.n ?? 0;
}

function readRows(db: DbOrTx, ids: readonly number[]): DetailRow[] {
  return db
    .select(columns)
    .from(detail)
    .where(inArray(detail.id, [...ids]))
    .orderBy(desc(detail.id))
    .all();
}

/** Conditions on a record's details; null and undefined mean no condition. */
export type DetailFilter = {
  status: ExecutionStatus | undefined;
  objects: readonly number[] | null;
  clusterIds: readonly string[] | null;
  version: string | undefined;
  /** Prefix of package names; `files`: prefix of full paths; `artifacts`: prefix of either. */
  packages: string | undefined;
  files: string | undefined;
  artifacts: string | undefined;
};

/** Number of rows to read before other work gets its turn. */
const SLICE = 2_000;

/**
 * Returns a page of the details that pass the filter, the newest first. To count them it reads
 * every row of the record, SLICE rows at a time.
 */
export async function searchDetails(
  db: DbOrTx,
  recordId: string,
  filter: DetailFilter,
  offset: number,
  limit: number,
): Promise<DetailPage> {
  const condition = conditionOf(filter);
  const ids: number[] = [];
  let total = 0;
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const slice = sql`
      SELECT id FROM detail
      WHERE record_id = ${recordId} AND id < ${before}
      ORDER BY id DESC LIMIT ${SLICE}`;
    const end = db.get<{ last: number | null; n: number }>(
      sql`SELECT min(id) AS last, count(*) AS n FROM (${slice})`,
    );
    if (end.last === null) break;
    const found = db.all<{ id: number }>(sql`
      SELECT id FROM ${detail}
      WHERE record_id = ${recordId} AND id >= ${end.last} AND id < ${before} AND ${condition}
      ORDER BY id DESC`);
    for (const { id } of found) {
      if (total >= offset && ids.length < limit) ids.push(id);
      total += 1;
    }
    if (end.n < SLICE) break;
    before = end.last;
    await turn("answer");
  }
  return { total, rows: readRows(db, ids) };
}

const begins = (prefix: string | undefined) =>
  prefix === undefined ? undefined : startsWith(detail.artifactName, prefix);

function conditionOf({
  status,
  objects,
  clusterIds,
  version,
  packages,
  files,
  artifacts,
}: DetailFilter): SQL {
  const conditions = [
    status && eq(detail.status, status),
    objects === null ? undefined : inArray(detail.object, [...objects]),
    clusterIds === null ? undefined : inArray(detail.clusterId, [...clusterIds]),
    version === undefined ? undefined : eq(detail.version, version),
    packages === undefined
      ? undefined
      : and(begins(packages), not(startsWith(detail.artifactName, "/"))),
    begins(files),
    begins(artifacts),
  ];
  return and(...conditions) ?? sql`1`;
}
