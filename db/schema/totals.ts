import { integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { RUN_CAUSES, RUN_RESULTS } from "../../domain/vocabulary.ts";

/**
 * Counts of a task's ended runs and missed starts, by cause and result, written by triggers
 * (db/migrations) and by `settleMissed`. So the metrics do not fall when records are deleted.
 * `le…`: runs that took at most so many seconds.
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

/**
 * Sums of `tally` over the ended runs of a task, for each cluster, kept by triggers
 * (db/migrations).
 */
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
    /**
     * Conflicts that the newest run left alone (SKIP). For REAL_TIME they add up from drain to
     * drain until a day has passed without one. `conflictsTime`: when the last run that left any
     * ended (epoch ms).
     */
    conflictsLeft: integer().notNull().default(0),
    conflictsTime: integer().notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.taskKey, t.clusterId] })],
);
