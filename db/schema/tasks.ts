import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import type { PackageConstraint, PathConstraint } from "../../domain/task.ts";
import {
  CLUSTER_STATUSES,
  CLUSTER_TYPES,
  EXECUTION_STATUSES,
  PROTOCOLS,
  REPLICA_OBJECT_TYPES,
  REPLICA_TYPES,
  REPOSITORY_TYPES,
} from "../../domain/vocabulary.ts";
import { audit, settingColumn } from "./columns.ts";

export const cluster = sqliteTable("cluster", {
  id: text().primaryKey(),
  name: text().notNull().unique(),
  type: text({ enum: CLUSTER_TYPES }).notNull(),
  url: text().notNull(),
  /**
   * Protocol of a REMOTE cluster; null: chosen for each object by the url's scheme or the object's
   * type.
   */
  protocol: text({ enum: PROTOCOLS }),
  username: text(),
  /**
   * Sealed credentials (activities/secrets/credentials.ts); the additional data of the seal is `cluster:{id}`.
   * Null: none of them is set.
   */
  secret: text(),
  /** As in the seal, to be shown; null: the https realm of the first good login is kept. */
  acceptedRealms: text({ mode: "json" }).$type<readonly string[] | null>(),
  certificate: text(),
  insecureSkipVerify: integer({ mode: "boolean" }).notNull().default(false),
  appId: text(),
  accessKey: text(),
  udpPort: integer(),
  detectType: text({ enum: ["PING", "REPORT"] }).notNull(),
  status: text({ enum: CLUSTER_STATUSES }).notNull(),
  errorReason: text(),
  lastReportTime: integer(),
  /**
   * The task that owns the cluster: a cluster made by remote distribution is deleted with its task.
   * Null: no task owns it.
   */
  ownerTaskKey: text(),
  ...audit,
});

export const task = sqliteTable(
  "task",
  {
    key: text().primaryKey(),
    id: text().notNull().unique(),
    name: text().notNull().unique(),
    /**
     * How the task was made: `task` by /task/create, `config` and `runOnce` by remote distribution.
     */
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
    /**
     * Firings that were due up to this time (epoch ms) have started, were skipped or are missed for
     * good.
     */
    settledTime: integer(),
    /**
     * Creation time of the task's schedule in Temporal; `scheduleSkips`: how many skips of that
     * schedule are included in `skippedTimes`.
     */
    scheduleCreated: integer(),
    scheduleSkips: integer().notNull().default(0),
    ...audit,
  },
  (t) => [
    index("task_project").on(t.projectId, t.createdDate),
    index("task_next").on(t.nextExecutionTime),
  ],
);

/**
 * Tests of clusters that have not returned: `begun` (epoch ms) of one that is under way, `last` of the
 * newest, `deaths`: how many processes have ended in one.
 */
export const clusterCheck = sqliteTable("cluster_check", {
  clusterId: text().primaryKey(),
  begun: integer(),
  last: integer().notNull(),
  deaths: integer().notNull().default(0),
});

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
  (t) => [
    primaryKey({ columns: [t.taskKey, t.position] }),
    index("task_object_repository").on(t.localRepoName),
  ],
);

export const taskCluster = sqliteTable(
  "task_cluster",
  {
    taskKey: text().notNull(),
    position: integer().notNull(),
    clusterId: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.taskKey, t.position] }),
    index("task_cluster_cluster").on(t.clusterId),
  ],
);
