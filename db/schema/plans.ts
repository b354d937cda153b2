import { sql } from "drizzle-orm";
import {
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import { LANES } from "../../domain/lanes.ts";

/**
 * How far an object of an execution is planned. `planned` and `bytes`: number and total known size
 * of its planned artifacts, kept in step with table `plan` while the execution runs; both are 0 if
 * planning the object has failed.
 */
export const planObject = sqliteTable(
  "plan_object",
  {
    recordId: text().notNull(),
    object: integer().notNull(),
    planned: integer().notNull().default(0),
    bytes: integer().notNull().default(0),
    /** Number of listing pages received (linked objects only); the next page has this number. */
    pages: integer().notNull().default(0),
    cursor: text(),
    complete: integer({ mode: "boolean" }).notNull().default(false),
    /**
     * Why the object could not be planned or, later, not be read any more; then none of its
     * artifacts is sent to any cluster. Null: no such reason is known.
     */
    problem: text(),
    /**
     * Since when listing the object fails with a retryable error (epoch ms), in `tries` how often in a
     * row, in `failure` why it last did, and in `retryAt` when it is tried again (epoch ms). Null: it
     * does not fail.
     */
    firstFailure: integer(),
    tries: integer().notNull().default(0),
    failure: text(),
    retryAt: integer(),
  },
  (t) => [
    primaryKey({ columns: [t.recordId, t.object] }),
    index("plan_object_waiting")
      .on(t.recordId)
      .where(sql`complete = 0 AND first_failure IS NOT NULL`),
  ],
);

/**
 * The planned artifacts of the objects of executions, in the order of `seq`, which counts from 1
 * for each object. A drain deletes rows of artifacts that are gone; closing the record deletes all
 * rows but those of failed artifacts.
 */
export const plan = sqliteTable(
  "plan",
  {
    recordId: text().notNull(),
    object: integer().notNull(),
    seq: integer().notNull(),
    /**
     * Full path of a file, or the name of a package; with `version` this identifies the artifact.
     */
    name: text().notNull(),
    version: text().notNull().default(""),
    size: integer(),
    digest: text(),
    /**
     * Why the artifact cannot be sent: a constraint asks for it, and it does not exist. It fails
     * with this text. Null: it can be sent.
     */
    problem: text(),
  },
  (t) => [
    primaryKey({ columns: [t.recordId, t.object, t.seq] }),
    uniqueIndex("plan_artifact").on(t.recordId, t.object, t.name, t.version),
  ],
);

/**
 * One dispatched batch: a range of the plan, or the rows of `detail` that carry its number. `epoch`
 * fences off earlier attempts.
 */
export const dispatch = sqliteTable(
  "dispatch",
  {
    recordId: text().notNull(),
    number: integer().notNull(),
    object: integer().notNull(),
    clusterId: text().notNull(),
    /**
     * Number of the cut that made the batch, or the batch of which it is a half. A repeated cut
     * with this number returns all batches that have it.
     */
    cut: integer().notNull(),
    fromSeq: integer(),
    toSeq: integer(),
    epoch: integer().notNull().default(0),
    /**
     * Kind of slots that the batch goes to; null: it was cut by a release that had only one kind.
     */
    lane: text({ enum: LANES }),
    /**
     * The linked repository that the batch is read from, as `project/repository`; null: a hosted one.
     * It counts as an end beside the cluster, because it can be slow too.
     */
    source: text(),
    /** When a worker last took the batch (epoch ms); null: none has taken it yet. */
    takenTime: integer(),
    /**
     * Whether the batch has ended. Some of its artifacts may have no outcome yet: those that wait
     * to be tried *again*, and those that never began (`rest`).
     */
    done: integer({ mode: "boolean" }).notNull().default(false),
    /**
     * Whether the batch ended before all artifacts of its range had begun, and the others were not
     * cut again yet.
     */
    rest: integer({ mode: "boolean" }).notNull().default(false),
    /** Number of the batch of which this one is a half; null: it is not a half. */
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
