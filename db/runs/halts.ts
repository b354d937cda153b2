import { and, eq } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { halt, record } from "../schema/replication.ts";

/** Whether there is nothing more to be said of the run: its record is closed or gone. */
export function isOver(db: DbOrTx, recordId: string): boolean {
  return db.select({ status: record.status }).from(record).where(eq(record.id, recordId)).get()?.status !== "RUNNING";
}

/** Whether nothing more may be planned: the run is to stop, or is over. */
export function isEnding(db: DbOrTx, recordId: string): boolean {
  const run = db.select({ status: record.status, stop: record.stopReason }).from(record).where(eq(record.id, recordId)).get();
  return run?.status !== "RUNNING" || run.stop !== null;
}

/** Why the cluster's part of the run must not go on: stopped, fast-failed, or over; null when it may. */
export function haltReason(db: DbOrTx, recordId: string, clusterId: string): string | null {
  const run = db.select({ status: record.status, stop: record.stopReason }).from(record).where(eq(record.id, recordId)).get();
  if (run?.status !== "RUNNING") return "the run is over";
  if (run.stop) return run.stop;
  const halted = db
    .select({ reason: halt.reason })
    .from(halt)
    .where(and(eq(halt.recordId, recordId), eq(halt.clusterId, clusterId)))
    .get();
  return halted?.reason ?? null;
}
