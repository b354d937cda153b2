import { and, eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { halt, record } from "../schema/records.ts";

/** Whether a run is over: its record is closed or gone, and nothing more can be recorded. */
export function isOver(db: DbOrTx, recordId: string): boolean {
  return runAt(db).get({ recordId })?.status !== "RUNNING";
}

/** Whether a run is over or about to stop, so that nothing more may be planned. */
export function isEnding(db: DbOrTx, recordId: string): boolean {
  const run = runAt(db).get({ recordId });
  return run?.status !== "RUNNING" || run.stop !== null;
}

/**
 * Returns why a run must not continue at a cluster: the run is over or was stopped, or a row of
 * table `halt` names the cluster. Null: the run may continue.
 */
export function haltReason(
  db: DbOrTx,
  recordId: string,
  clusterId: string,
): string | null {
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
    .where(
      and(
        eq(halt.recordId, placeholder("recordId")),
        eq(halt.clusterId, placeholder("clusterId")),
      ),
    )
    .prepare(),
);
