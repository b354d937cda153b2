import { and, eq, isNotNull } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { record } from "../schema/records.ts";

const columns = {
  id: record.id,
  taskKey: record.taskKey,
  clusterId: record.clusterId,
  workflowId: record.workflowId,
  startTime: record.startTime,
  stopReason: record.stopReason,
  problem: record.problem,
};
export type RunningRecord = Pick<typeof record.$inferSelect, keyof typeof columns>;

export function runningRecords(db: DbOrTx): RunningRecord[] {
  return db.select(columns).from(record).where(eq(record.status, "RUNNING")).all();
}

/** Returns the RUNNING records of one task. */
export function runningRecordsOf(db: DbOrTx, taskKey: string): RunningRecord[] {
  return db
    .select(columns)
    .from(record)
    .where(and(eq(record.taskKey, taskKey), eq(record.status, "RUNNING")))
    .all();
}

/** Returns the RUNNING records that have a stop reason. */
export function stoppingRecords(db: DbOrTx): RunningRecord[] {
  return db
    .select(columns)
    .from(record)
    .where(and(eq(record.status, "RUNNING"), isNotNull(record.stopReason)))
    .all();
}

/**
 * Sets the problem that blocks a run; null: the problem has ended. A closed record does not change.
 */
export function setProblem(db: DbOrTx, recordId: string, problem: string | null): void {
  db.update(record)
    .set({ problem })
    .where(and(eq(record.id, recordId), eq(record.status, "RUNNING")))
    .run();
}
