import { sql } from "drizzle-orm";
import { customType, index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { LANES } from "../../domain/lanes.ts";
import {
  completeSetting,
  completeSnapshot,
  type PackageConstraint,
  type PathConstraint,
  type RunSnapshot,
  type StoredSetting,
  type StoredSnapshot,
  type TaskSetting,
} from "../../domain/task.ts";
import {
  CLUSTER_STATUSES,
  CLUSTER_TYPES,
  COMPARED_BY,
  EXECUTION_STATUSES,
  PROTOCOLS,
  REPLICA_OBJECT_TYPES,
  REPLICA_TYPES,
  REPOSITORY_TYPES,
  RUN_CAUSES,
  RUN_RESULTS,
  VERIFIED_BY,
} from "../../domain/vocabulary.ts";

/** JSON that is completed when it is read: older versions stored less of it. */
const completed = <Stored, Whole extends Stored>(complete: (stored: Stored) => Whole) =>
  customType<{ data: Whole; driverData: string }>({
    dataType: () => "text",
    toDriver: (value) => JSON.stringify(value),
    fromDriver: (value) => complete(JSON.parse(value) as Stored),
  });
const settingColumn = completed<StoredSetting, TaskSetting>(completeSetting);
const snapshotColumn = completed<StoredSnapshot, RunSnapshot>(completeSnapshot);

const audit = {
  createdBy: text().notNull(),
  createdDate: integer().notNull(),
  lastModifiedBy: text().notNull(),
  lastModifiedDate: integer().notNull(),
};

export const cluster = sqliteTable("cluster", {
  id: text().primaryKey(),
  name: text().notNull().unique(),
  type: text({ enum: CLUSTER_TYPES }).notNull(),
  url: text().notNull(),
  /** REMOTE clusters only; null: each object's own. */
  protocol: text({ enum: PROTOCOLS }),
  username: text(),
  /** Sealed JSON {password?, token?, secretKey?}; additional data of the seal: `cluster:{id}`. */
  secret: text(),
  certificate: text(),
  insecureSkipVerify: integer({ mode: "boolean" }).notNull().default(false),
  appId: text(),
  accessKey: text(),
  udpPort: integer(),
  detectType: text({ enum: ["PING", "REPORT"] }).notNull(),
  status: text({ enum: CLUSTER_STATUSES }).notNull(),
  errorReason: text(),
  lastReportTime: integer(),
  /** The task that owns it: clusters made by remote distribution live and die with their task. */
  ownerTaskKey: text(),
  ...audit,
});

export const task = sqliteTable(
  "task",
  {
    key: text().primaryKey(),
    id: text().notNull().unique(),
    name: text().notNull().unique(),
    /** `task`: made by /task/create; `config` and `runOnce`: made by remote distribution. */
    kind: text({ enum: ["task", "config", "runOnce"] }).notNull(),
    projectId: text().notNull(),
    replicaObjectType: text({ enum: REPLICA_OBJECT_TYPES }).notNull(),
    replicaType: text({ enum: REPLICA_TYPES }).notNull(),
    setting: settingColumn().notNull(),
    description: text(),
    enabled: integer({ mode: "boolean" }).notNull(),
    record: integer({ mode: "boolean" }).notNull(),
    recordReserveDays: integer().notNull(),
    lastExecutionStatus: text({ enum: EXECUTION_STATUSES }),
    lastExecutionTime: integer(),
    nextExecutionTime: integer(),
    executionTimes: integer().notNull().default(0),
    skippedTimes: integer().notNull().default(0),
    lastSkippedTime: integer(),
    /** Firings due up to this time have run, were skipped or are missed for good. */
    settledTime: integer(),
    /** The schedule in Temporal, by when it was made, and how many of its own skips are in `skippedTimes`. */
    scheduleCreated: integer(),
    scheduleSkips: integer().notNull().default(0),
    ...audit,
  },
  (t) => [index("task_project").on(t.projectId, t.createdDate), index("task_next").on(t.nextExecutionTime)],
);

export const taskObject = sqliteTable(
  "task_object",
  {
    taskKey: text().notNull(),
    position: integer().notNull(),
    localRepoName: text().notNull(),
    repoType: text({ enum: REPOSITORY_TYPES }).notNull(),
    remoteProjectId: text(),
    remoteRepoName: text(),
    packageConstraints: text({ mode: "json" }).$type<PackageConstraint[] | null>(),
    pathConstraints: text({ mode: "json" }).$type<PathConstraint[] | null>(),
  },
  (t) => [primaryKey({ columns: [t.taskKey, t.position] }), index("task_object_repository").on(t.localRepoName)],
);

export const taskCluster = sqliteTable(
  "task_cluster",
  { taskKey: text().notNull(), position: integer().notNull(), clusterId: text().notNull() },
  (t) => [primaryKey({ columns: [t.taskKey, t.position] }), index("task_cluster_cluster").on(t.clusterId)],
);

/** One execution. `clusterId` is "" but for REAL_TIME, where a record is one drain of one cluster. */
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
    /** How many clusters the snapshot names, so that it need not be read to be counted. */
    clusters: integer().notNull().default(0),
    /** Set once by stop or by a delete; the run ends FAILED with it. */
    stopReason: text(),
    /** What keeps the run from going on or its record from being certain; null when nothing is known to. */
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
 * How far an object's plan is. `planned` and `bytes` equal count and size of its plan rows, kept in the transaction
 * that adds them.
 */
export const planObject = sqliteTable(
  "plan_object",
  {
    recordId: text().notNull(),
    object: integer().notNull(),
    planned: integer().notNull().default(0),
    bytes: integer().notNull().default(0),
    /** Number of listing pages handed in; the next page has this number. */
    pages: integer().notNull().default(0),
    cursor: text(),
    complete: integer({ mode: "boolean" }).notNull().default(false),
    /** Why the object could not be listed; every cluster's run of it then fails with this. */
    problem: text(),
    /** Since when listing fails with something worth a retry, and how often it did in a row. */
    firstFailure: integer(),
    tries: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.recordId, t.object] })],
);

/** The artifacts of one object of one execution, in the order of `seq` (from 1, without gaps). */
export const plan = sqliteTable(
  "plan",
  {
    recordId: text().notNull(),
    object: integer().notNull(),
    seq: integer().notNull(),
    /** Full path of a file, or the package's name; with `version` the artifact's identity. */
    name: text().notNull(),
    version: text().notNull().default(""),
    size: integer(),
    digest: text(),
    /** Set when a constraint found nothing: the artifact fails with this text and is not sent. */
    problem: text(),
  },
  (t) => [
    primaryKey({ columns: [t.recordId, t.object, t.seq] }),
    uniqueIndex("plan_artifact").on(t.recordId, t.object, t.name, t.version),
  ],
);

/**
 * One batch handed out: a range of the plan, or the rows of `detail` that carry its number. `lease` fences older
 * attempts out.
 */
export const dispatch = sqliteTable(
  "dispatch",
  {
    recordId: text().notNull(),
    number: integer().notNull(),
    object: integer().notNull(),
    clusterId: text().notNull(),
    /** The workflow's cut that made it: the same cut asked twice answers the same batches. */
    cut: integer().notNull(),
    fromSeq: integer(),
    toSeq: integer(),
    lease: integer().notNull().default(0),
    /** Which slots it goes to; null: it was cut before there were several kinds. */
    lane: text({ enum: LANES }),
    /** `project/repository` where the source is linked, an end that may be slow by itself. */
    source: text(),
    /** When a worker first took it (epoch ms). */
    takenTime: integer(),
    /** Its worker has handed it in, whole or in part. */
    done: integer({ mode: "boolean" }).notNull().default(false),
    /** It was handed in before all of its range had begun; what had not is cut anew. */
    rest: integer({ mode: "boolean" }).notNull().default(false),
    /** The batch that it is a half of. */
    halfOf: integer(),
  },
  (t) => [
    primaryKey({ columns: [t.recordId, t.number] }),
    index("dispatch_cut").on(t.recordId, t.clusterId, t.cut),
    index("dispatch_range").on(t.recordId, t.clusterId, t.object, t.toSeq),
    index("dispatch_open")
      .on(t.clusterId)
      .where(sql`done = 0 AND lane IS NOT NULL`),
    index("dispatch_rest")
      .on(t.recordId, t.clusterId, t.object)
      .where(sql`rest = 1`),
  ],
);

/** One artifact at one cluster. Counters over these rows are kept by triggers in `tally`. */
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
    lease: integer().notNull(),
    size: integer(),
    /** Whether `size` was known when planning; otherwise the transfer found it. */
    sizePlanned: integer({ mode: "boolean" }).notNull(),
    digest: text(),
    conflict: integer({ mode: "boolean" }).notNull().default(false),
    skip: integer({ mode: "boolean" }).notNull().default(false),
    /** The strategy that was applied, where there was a conflict. */
    conflictStrategy: text(),
    blobSuccess: integer().notNull().default(0),
    blobSkip: integer().notNull().default(0),
    blobFailed: integer().notNull().default(0),
    nodeSuccess: integer().notNull().default(0),
    nodeSkip: integer().notNull().default(0),
    nodeFailed: integer().notNull().default(0),
    bytesSent: integer().notNull().default(0),
    /** Bytes read at the target to compare or to verify, over all attempts. */
    bytesRead: integer().notNull().default(0),
    compared: text({ enum: COMPARED_BY }),
    verified: text({ enum: VERIFIED_BY }),
    note: text(),
    startTime: integer().notNull(),
    endTime: integer(),
    errorReason: text(),
    /** The next four are set while the artifact waits to be tried *again*. */
    again: integer({ mode: "boolean" }).notNull().default(false),
    notBefore: integer(),
    firstFailure: integer(),
    uploads: text({ mode: "json" }).$type<{ digest: string; location: string; offset: number }[] | null>(),
    tries: integer().notNull().default(0),
    /** It has a large blob that an end takes in one request only. */
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
  ],
);

/**
 * Sums over `detail` for a record and cluster, kept by triggers (db/migrations): success + failed + running = details.
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
    /** Σ size of successes plus what running ones have sent. */
    bytesDone: integer().notNull().default(0),
    /** Σ size where the size became known only with the transfer (images). */
    bytesFound: integer().notNull().default(0),
    bytesSent: integer().notNull().default(0),
    bytesRead: integer().notNull().default(0),
    /** Bytes that were granted to be read there to compare, of `compareReadLimit`. */
    compareGranted: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.recordId, t.clusterId] })],
);

/**
 * A cluster's run inside an execution that must not go on: FAST_FAIL, or something wrong with the cluster as a whole.
 */
export const halt = sqliteTable(
  "halt",
  {
    recordId: text().notNull(),
    clusterId: text().notNull(),
    reason: text().notNull(),
    /** The cluster took nothing for as long as a drain waits: what the drain had is kept for the next one. */
    away: integer({ mode: "boolean" }).notNull().default(false),
  },
  (t) => [primaryKey({ columns: [t.recordId, t.clusterId] })],
);

/**
 * Runs of a task that have ended, kept by triggers (db/migrations), so that the numbers do not fall when records are
 * deleted. `le…`: those that took at most so many seconds.
 */
export const runTotal = sqliteTable(
  "run_total",
  {
    taskKey: text().notNull(),
    cause: text({ enum: RUN_CAUSES }).notNull(),
    result: text({ enum: RUN_RESULTS }).notNull(),
    runs: integer().notNull().default(0),
    seconds: real().notNull().default(0),
    lastEnd: integer().notNull(),
    le1: integer("le_1").notNull().default(0),
    le10: integer("le_10").notNull().default(0),
    le60: integer("le_60").notNull().default(0),
    le600: integer("le_600").notNull().default(0),
    le3600: integer("le_3600").notNull().default(0),
    le21600: integer("le_21600").notNull().default(0),
    le86400: integer("le_86400").notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.taskKey, t.cause, t.result] })],
);

/** Sums of `tally` over the runs of a task that have ended, kept by the same triggers. */
export const artifactTotal = sqliteTable(
  "artifact_total",
  {
    taskKey: text().notNull(),
    clusterId: text().notNull(),
    success: integer().notNull().default(0),
    failed: integer().notNull().default(0),
    skip: integer().notNull().default(0),
    conflict: integer().notNull().default(0),
    bytesSent: integer().notNull().default(0),
    bytesRead: integer().notNull().default(0),
    /** Conflicts that the newest run left alone (SKIP), of REAL_TIME the runs of a day; and when that run ended. */
    conflictsLeft: integer().notNull().default(0),
    conflictsTime: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.taskKey, t.clusterId] })],
);
