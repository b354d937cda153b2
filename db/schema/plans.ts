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
 * How far the planning of an object has come. `planned` and `bytes` equal count and total size of
 * the object's plan rows; they are updated in the transaction that adds the rows.
 */
export const planObject = sqliteTable(
  "plan_object",
  {
    recordId: text().notNull(),
    object: integer().notNull(),
    planned: integer().notNull().default(0),
    bytes: integer().notNull().default(0),
    /** Number of listing pages received; the next page has this number. */
    pages: integer().notNull().default(0),
    cursor: text(),
    complete: integer({ mode: "boolean" }).notNull().default(false),
    /** Why listing the object failed; its artifacts fail with this at every cluster. */
    problem: text(),
    /**
     * Since when listing the object fails with a retryable error (epoch ms), and in `tries` how
     * often in a row.
     */
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
    /**
     * Full path of a file, or the name of a package; with `version` this identifies the artifact.
     */
    name: text().notNull(),
    version: text().notNull().default(""),
    size: integer(),
    digest: text(),
    /**
     * Set if a constraint matched nothing: then the artifact fails with this text and is not sent.
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
     * Number of the cut that made the batch; a repeated cut with this number returns the same
     * batches.
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
    /** When a worker last took the batch (epoch ms). */
    takenTime: integer(),
    /** Whether the batch has ended. Some of its artifacts may have no outcome yet (`rest`). */
    done: integer({ mode: "boolean" }).notNull().default(false),
    /**
     * Whether the batch ended before all artifacts of its range had begun; the others are cut
     * again.
     */
    rest: integer({ mode: "boolean" }).notNull().default(false),
    /** Number of the batch of which this one is a half. */
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
