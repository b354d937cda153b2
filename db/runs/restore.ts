import { and, eq } from "drizzle-orm";
import { restoredText } from "../../domain/restored.ts";
import { type Db, write } from "../open.ts";
import { inPages } from "../pages.ts";
import { detail, record } from "../schema/records.ts";
import { type Closed, closeRow, runCounts } from "./close.ts";
import { dropLeftovers } from "./leftovers.ts";

/** How a run ended, and when (epoch ms). */
export type RunAnswer = Closed & { startTime: number; endTime: number };

/** Maximum number of rows changed in one transaction, so that other answers need not wait long. */
const PAGE = 5_000;

/**
 * Closes a RUNNING record from the run's own report, after the database was put back to an earlier
 * time. The details stay as they are, except that none remains RUNNING; if their counts differ from
 * the report, the record says so.
 */
export async function closeAsAnswered(
  db: Db,
  recordId: string,
  answer: RunAnswer,
): Promise<void> {
  const row = db
    .select({ status: record.status, snapshot: record.snapshot })
    .from(record)
    .where(eq(record.id, recordId))
    .get();
  if (row?.status !== "RUNNING") return;
  const before = runCounts(db, recordId, row.snapshot.clusters.length);
  await inPages(() => endDetails(db, recordId, answer));
  write(db, (tx) =>
    closeRow(tx, recordId, { ...answer, problem: restoredText(answer, before) }),
  );
  await dropLeftovers(db, recordId);
}

/**
 * Gives up to PAGE of a record's RUNNING details the status of the run: if the run succeeded, so did these
 * artifacts. Returns how many were ended.
 */
function endDetails(
  db: Db,
  recordId: string,
  { status, errorReason, endTime }: RunAnswer,
): number {
  return write(db, (tx) => {
    const rows = tx
      .select({ id: detail.id })
      .from(detail)
      .where(and(eq(detail.recordId, recordId), eq(detail.status, "RUNNING")))
      .limit(PAGE)
      .all();
    const reason =
      status === "SUCCESS"
        ? null
        : (errorReason ?? "the run ended before this artifact did");
    for (const { id } of rows)
      tx.update(detail)
        .set({ status, endTime, errorReason: reason, again: false, uploads: null })
        .where(eq(detail.id, id))
        .run();
    return rows.length;
  });
}
