import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import { COMPARED_BY, EXECUTION_STATUSES, VERIFIED_BY } from "../../domain/vocabulary.ts";
import { snapshotColumn } from "./columns.ts";

/**
 * One execution of a task, or its single start time that was missed. `clusterId` is "" except for
 * REAL_TIME, whose records are each one drain at one cluster.
 */
export const record = sqliteTable(
  "record",
  {
    id: text().primaryKey(),
    taskKey: text().notNull(),
    clusterId: text().notNull().default(""),
    workflowId: text().notNull(),
    status: text({ enum: EXECUTION_STATUSES }).notNull(),
    startTime: integer().notNull(),
    endTime: integer(),
    errorReason: text(),
    snapshot: snapshotColumn().notNull(),
    /**
     * Number of clusters in the snapshot, so that they can be counted without reading it; 0 for a
     * record that was closed from the first.
     */
    clusters: integer().notNull().default(0),
    /**
     * Why the run must end, set once: by a stop, a deletion, or whatever interrupted the run. The
     * run then ends FAILED with this reason, unless it had ended before.
     */
    stopReason: text(),
    /** What blocks the run or makes its record uncertain; null when no such problem is known. */
    problem: text(),
  },
  (t) => [
    uniqueIndex("record_running")
      .on(t.taskKey, t.clusterId)
      .where(sql`status = 'RUNNING'`),
    index("record_task").on(t.taskKey, t.startTime, t.id),
    index("record_end").on(t.status, t.endTime),
  ],
);

/**
 * One artifact of an execution at one cluster, from the moment it begins. Triggers keep counters
 * over these rows in `tally`.
 */
export const detail = sqliteTable(
  "detail",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    recordId: text().notNull(),
    clusterId: text().notNull(),
    object: integer().notNull(),
    seq: integer().notNull(),
    artifactName: text().notNull(),
    version: text().notNull().default(""),
    status: text({ enum: EXECUTION_STATUSES }).notNull(),
    dispatch: integer().notNull(),
    epoch: integer().notNull(),
    size: integer(),
    /**
     * Whether the size was known when the artifact was planned; if not, `size` is null until the
     * transfer finds it.
     */
    sizePlanned: integer({ mode: "boolean" }).notNull(),
    digest: text(),
    conflict: integer({ mode: "boolean" }).notNull().default(false),
    skip: integer({ mode: "boolean" }).notNull().default(false),
    /** The strategy that was applied to a conflict; null without a conflict. */
    conflictStrategy: text(),
    blobSuccess: integer().notNull().default(0),
    blobSkip: integer().notNull().default(0),
    blobFailed: integer().notNull().default(0),
    nodeSuccess: integer().notNull().default(0),
    nodeSkip: integer().notNull().default(0),
    nodeFailed: integer().notNull().default(0),
    bytesSent: integer().notNull().default(0),
    /**
     * Bytes read at the target to compare or to verify, over all attempts but those that yielded.
     */
    bytesRead: integer().notNull().default(0),
    compared: text({ enum: COMPARED_BY }),
    verified: text({ enum: VERIFIED_BY }),
    note: text(),
    startTime: integer().notNull(),
    endTime: integer(),
    errorReason: text(),
    /**
     * Whether the artifact waits to be tried again, which happens at `notBefore` (epoch ms) or
     * later. `firstFailure`: when it first failed or was put off (epoch ms); `uploads`: its
     * unfinished uploads at the target; `tries`: how many tries have failed so far.
     */
    again: integer({ mode: "boolean" }).notNull().default(false),
    notBefore: integer(),
    firstFailure: integer(),
    uploads: text({ mode: "json" }).$type<
      { digest: string; location: string; offset: number }[] | null
    >(),
    tries: integer().notNull().default(0),
    /** Whether no attempt so far can have changed anything at the target (`ArtifactOutcome.unsent`). */
    unsent: integer({ mode: "boolean" }).notNull().default(false),
    /**
     * Whether the artifact has a large blob that one of the ends accepts only in a single request.
     */
    whole: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [
    uniqueIndex("detail_artifact").on(t.recordId, t.clusterId, t.object, t.seq),
    index("detail_status").on(t.recordId, t.status, t.id),
    index("detail_record").on(t.recordId, t.id),
    index("detail_again")
      .on(t.recordId, t.clusterId, t.object, t.notBefore)
      .where(sql`again = 1`),
    index("detail_dispatch").on(t.recordId, t.dispatch),
    index("detail_waiting")
      .on(t.recordId, t.clusterId, t.notBefore)
      .where(sql`status = 'RUNNING' AND first_failure IS NOT NULL`),
  ],
);

/**
 * Sums over `detail` for a record and cluster, kept by triggers (db/migrations): success + failed +
 * running = number of details. Deleting a detail changes no sum.
 */
export const tally = sqliteTable(
  "tally",
  {
    recordId: text().notNull(),
    clusterId: text().notNull(),
    success: integer().notNull().default(0),
    failed: integer().notNull().default(0),
    running: integer().notNull().default(0),
    skip: integer().notNull().default(0),
    conflict: integer().notNull().default(0),
    fileSuccess: integer().notNull().default(0),
    fileFailed: integer().notNull().default(0),
    /** Sum of `size` over the successes, plus the bytes that running artifacts have sent. */
    bytesDone: integer().notNull().default(0),
    /**
     * Sum of `size` over the artifacts whose size only the transfer found, as for images of a
     * registry.
     */
    bytesFound: integer().notNull().default(0),
    bytesSent: integer().notNull().default(0),
    bytesRead: integer().notNull().default(0),
    /**
     * Bytes that workers were allowed to read at the target to compare, out of `compareReadLimit`.
     */
    compareGranted: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.recordId, t.clusterId] })],
);

/**
 * Why a run must not continue at one cluster: an artifact failed under FAST_FAIL, or the cluster of
 * a drain is away.
 */
export const halt = sqliteTable(
  "halt",
  {
    recordId: text().notNull(),
    clusterId: text().notNull(),
    reason: text().notNull(),
    /**
     * Whether the cluster accepted nothing for as long as a drain waits: the drain's changes are
     * kept for the next drain.
     */
    away: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.recordId, t.clusterId] })],
);
