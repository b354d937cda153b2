import { and, eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { halt, record } from "../schema/records.ts";

/** Whether there is nothing more to be said of the run: its record is closed or gone. */
export function isOver(db: DbOrTx, recordId: string): boolean {
  return runAt(db).get({ recordId })?.status !== "RUNNING";
}

/** Whether nothing more may be planned: the run is to stop, or is over. */
export function isEnding(db: DbOrTx, recordId: string): boolean {
  const run = runAt(db).get({ recordId });
  return run?.status !== "RUNNING" || run.stop !== null;
}

/** Why the cluster's part of the run must not go on: stopped, fast-failed, or over; null when it may. */
export function haltReason(db: DbOrTx, recordId: string, clusterId: string): string | null {
  const run = runAt(db).get({ recordId });
  if (run?.status !== "RUNNING") return "the run is over";
  if (run.stop) return run.stop;
  return haltAt(db).get({ recordId, clusterId })?.reason ?? null;
}

const { placeholder } = sql;
const runAt = prepared((db) =>
  db
    .select({ status: record.status, stop: record.stopReason })
    .from(record)
    .where(eq(record.id, placeholder("recordId")))
    .prepare(),
);
const haltAt = prepared((db) =>
  db
    .select({ reason: halt.reason })
    .from(halt)
    .where(and(eq(halt.recordId, placeholder("recordId")), eq(halt.clusterId, placeholder("clusterId"))))
    .prepare(),
);
