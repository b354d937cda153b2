import { and, type Column, desc, eq, inArray, lt, or, sql } from "drizzle-orm";
import type { ExecutionStatus } from "../../domain/vocabulary.ts";
import type { Db, DbOrTx } from "../open.ts";
import { inPages } from "../pages.ts";
import { prepared } from "../prepared.ts";
import { dispatch, plan, planObject } from "../schema/plans.ts";
import { detail, halt, record, tally } from "../schema/records.ts";

/**
 * Bytes of an execution over all clusters. `replicatedBytes`: how many have arrived or were there
 * before; `totalBytes`: how many have to arrive, as far as sizes are known.
 */
export type RecordBytes = { replicatedBytes: number; totalBytes: number };

/** Bytes of an execution that were read at targets to compare or to verify. */
type CheckedBytes = { bytesRead: number };

/** Counts of artifacts over all clusters; planned = success + failed + notDone (docs/decisions.md#counts). */
type Overview = {
  success: number;
  failed: number;
  conflict: number;
  fileSuccess: number;
  fileFailed: number;
  planned: number;
  skip: number;
  notDone: number;
};

type RecordRow = {
  id: string;
  taskKey: string;
  workflowId: string;
  status: ExecutionStatus;
  startTime: number;
  endTime: number | null;
  errorReason: string | null;
  problem: string | null;
};
export type RecordView = RecordRow & RecordBytes & CheckedBytes & { overview: Overview };

/** The columns without the snapshot, which may be long. */
const columns = {
  id: record.id,
  taskKey: record.taskKey,
  workflowId: record.workflowId,
  status: record.status,
  startTime: record.startTime,
  endTime: record.endTime,
  errorReason: record.errorReason,
  problem: record.problem,
  clusters: record.clusters,
};

export function findRecord(db: DbOrTx, id: string): RecordView | null {
  return (
    withSums(db, db.select(columns).from(record).where(eq(record.id, id)).all())[0] ??
    null
  );
}

/** Returns the task of an execution, or null when the record is gone. */
export function taskKeyOf(db: DbOrTx, id: string): string | null {
  return (
    db.select({ taskKey: record.taskKey }).from(record).where(eq(record.id, id)).get()
      ?.taskKey ?? null
  );
}

/** Returns a page of a task's records, the newest first. */
export function pageRecords(
  db: DbOrTx,
  taskKey: string,
  status: ExecutionStatus | undefined,
  offset: number,
  limit: number,
): { total: number; records: RecordView[] } {
  const where = and(eq(record.taskKey, taskKey), status && eq(record.status, status));
  const rows = db
    .select(columns)
    .from(record)
    .where(where)
    .orderBy(desc(record.startTime), desc(record.id))
    .limit(limit)
    .offset(offset)
    .all();
  const counted = db
    .select({ n: sql<number>`count(*)` })
    .from(record)
    .where(where)
    .get();
  return { total: counted?.n ?? 0, records: withSums(db, rows) };
}

const LIST_PAGE = 200;

/**
 * Yields all records of a task, the newest first, page by page; no statement or transaction is open
 * between pages.
 */
export async function* recordPages(
  db: DbOrTx,
  taskKey: string,
): AsyncGenerator<RecordView[]> {
  let last: RecordRow | undefined;
  do {
    const after =
      last &&
      or(
        lt(record.startTime, last.startTime),
        and(eq(record.startTime, last.startTime), lt(record.id, last.id)),
      );
    const rows = db
      .select(columns)
      .from(record)
      .where(and(eq(record.taskKey, taskKey), after))
      .orderBy(desc(record.startTime), desc(record.id))
      .limit(LIST_PAGE)
      .all();
    last = rows.length === LIST_PAGE ? rows.at(-1) : undefined;
    yield withSums(db, rows);
  } while (last !== undefined);
}

/**
 * Returns the bytes of each task's newest execution, by task key; tasks without a record are
 * absent.
 */
export function newestRecordBytes(
  db: DbOrTx,
  taskKeys: readonly string[],
): Map<string, RecordBytes> {
  const newest = sql`(
    SELECT id FROM record r
    WHERE r.task_key = t.key
    ORDER BY r.start_time DESC, r.id DESC LIMIT 1)`;
  const ids = db
    .all<{ id: string | null }>(
      sql`SELECT ${newest} AS id FROM task t WHERE t.key IN ${[...taskKeys, ""]}`,
    )
    .flatMap(({ id }) => id ?? []);
  const rows = db.select(columns).from(record).where(inArray(record.id, ids)).all();
  return new Map(
    withSums(db, rows).map(({ taskKey, replicatedBytes, totalBytes }) => [
      taskKey,
      { replicatedBytes, totalBytes },
    ]),
  );
}

/** SQL: the sum of a column. Unlike sum(), total() does not fail when sizes that a registry states exceed 64 bits. */
const total = (column: Column) => sql<number>`total(${column})`;

/** SQL: whether the column is in a JSON list of record ids. */
const isListed = (column: Column) =>
  sql`${column} IN (SELECT value FROM json_each(${sql.placeholder("ids")}))`;

const plansOf = prepared((db) =>
  db
    .select({
      id: planObject.recordId,
      planned: total(planObject.planned),
      bytes: total(planObject.bytes),
    })
    .from(planObject)
    .where(isListed(planObject.recordId))
    .groupBy(planObject.recordId)
    .prepare(),
);

const talliesOf = prepared((db) =>
  db
    .select({
      id: tally.recordId,
      success: total(tally.success),
      failed: total(tally.failed),
      conflict: total(tally.conflict),
      skip: total(tally.skip),
      fileSuccess: total(tally.fileSuccess),
      fileFailed: total(tally.fileFailed),
      bytesDone: total(tally.bytesDone),
      bytesFound: total(tally.bytesFound),
      bytesRead: total(tally.bytesRead),
    })
    .from(tally)
    .where(isListed(tally.recordId))
    .groupBy(tally.recordId)
    .prepare(),
);

type Sums = ReturnType<ReturnType<typeof talliesOf>["all"]>[number];

function withSums(
  db: DbOrTx,
  rows: readonly (RecordRow & { clusters: number })[],
): RecordView[] {
  const ids = JSON.stringify(rows.map(({ id }) => id));
  const plans = plansOf(db).all({ ids });
  const tallies = talliesOf(db).all({ ids });
  const planOf = new Map(plans.map((row) => [row.id, row]));
  const tallyOf = new Map(tallies.map((row) => [row.id, row]));
  return rows.map(({ clusters, ...row }) => {
    const { planned = 0, bytes = 0 } = planOf.get(row.id) ?? {};
    const sums: Partial<Sums> = tallyOf.get(row.id) ?? {};
    const { bytesDone = 0, bytesFound = 0, bytesRead = 0 } = sums;
    const {
      success = 0,
      failed = 0,
      conflict = 0,
      skip = 0,
      fileSuccess = 0,
      fileFailed = 0,
    } = sums;
    const notDone = Math.max(0, planned * clusters - success - failed);
    const overview = {
      success,
      failed,
      conflict,
      fileSuccess,
      fileFailed,
      planned: planned * clusters,
      skip,
      notDone,
    };
    return {
      ...row,
      replicatedBytes: bytesDone,
      totalBytes: bytes * clusters + bytesFound,
      bytesRead,
      overview,
    };
  });
}

/** Maximum number of rows deleted in one transaction, so that other answers need not wait long. */
const DELETE_PAGE = 500;

/**
 * Deletes a record with everything below it; yields between transactions, and can be repeated after
 * a crash. The rows that late plans and outcomes need are deleted first, so that no late row is
 * added after the others are deleted.
 */
export async function deleteRecord(db: Db, id: string): Promise<void> {
  db.delete(planObject).where(eq(planObject.recordId, id)).run();
  for (const table of [dispatch, detail, plan]) {
    await inPages(
      () =>
        db.run(sql`
          DELETE FROM ${table} WHERE rowid IN (
            SELECT rowid FROM ${table} WHERE ${table.recordId} = ${id} LIMIT ${DELETE_PAGE})`)
          .changes,
    );
  }
  for (const table of [tally, halt]) db.delete(table).where(eq(table.recordId, id)).run();
  db.delete(record).where(eq(record.id, id)).run();
}

export async function deleteRecords(db: Db, taskKey: string): Promise<void> {
  const next = () =>
    db
      .select({ id: record.id })
      .from(record)
      .where(eq(record.taskKey, taskKey))
      .limit(1)
      .get();
  for (let row = next(); row !== undefined; row = next()) await deleteRecord(db, row.id);
}
