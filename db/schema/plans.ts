import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import { LANES } from "../../domain/lanes.ts";

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
