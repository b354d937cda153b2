import { and, eq, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { dispatch } from "../schema/plans.ts";

export type BatchRow = typeof dispatch.$inferSelect;
type BatchRange = Pick<
  BatchRow,
  "recordId" | "number" | "object" | "clusterId" | "fromSeq" | "toSeq"
>;

/**
 * Returns the ends that determine a batch's pace: the batch's cluster, and the linked repository
 * that is read, if there is one.
 */
export const endsOf = ({
  clusterId,
  source,
}: Pick<BatchRow, "clusterId" | "source">): string[] =>
  source === null ? [clusterId] : [clusterId, source];

/**
 * Ends a batch on which its worker does not work any more. Artifacts without an outcome are due at
 * once and will be cut again; returns their number. `interrupted`: a transfer was broken off, so an
 * artifact may have reached the target without a report.
 */
export function endBatch(
  tx: DbOrTx,
  { recordId, number, object: objectIndex, clusterId, fromSeq, toSeq }: BatchRange,
  { interrupted }: { interrupted: boolean },
  now: number,
): number {
  const begun = tx.run(sql`
    UPDATE detail SET again = 1, not_before = ${now}, unsent = unsent * ${interrupted ? 0 : 1}
    WHERE record_id = ${recordId}
      AND dispatch = ${number}
      AND cluster_id = ${clusterId}
      AND status = 'RUNNING'
      AND again = 0`).changes;
  const untouched =
    fromSeq === null
      ? 0
      : countUntouched(tx, { recordId, object: objectIndex, clusterId, fromSeq, toSeq });
  tx.update(dispatch)
    .set({
      done: true,
      rest: untouched > 0,
      ...(interrupted ? { epoch: sql`${dispatch.epoch} + 1` } : {}),
    })
    .where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number)))
    .run();
  return begun + untouched;
}

function countUntouched(
  tx: DbOrTx,
  {
    recordId,
    object: objectIndex,
    clusterId,
    fromSeq,
    toSeq,
  }: Omit<BatchRange, "number">,
): number {
  const { n } = tx.get<{ n: number }>(sql`
    SELECT count(*) AS n FROM plan p
    WHERE p.record_id = ${recordId}
      AND p.object = ${objectIndex}
      AND p.seq BETWEEN ${fromSeq} AND ${toSeq}
      AND NOT EXISTS (
        SELECT 1 FROM detail d
        WHERE d.record_id = ${recordId}
          AND d.cluster_id = ${clusterId}
          AND d.object = ${objectIndex}
          AND d.seq = p.seq)`);
  return n;
}

const batchAt = prepared((db) => {
  const { placeholder } = sql;
  return db
    .select()
    .from(dispatch)
    .where(
      and(
        eq(dispatch.recordId, placeholder("recordId")),
        eq(dispatch.number, placeholder("number")),
      ),
    )
    .prepare();
});

/** Returns a batch, or null when there is none with this number. */
export function findBatch(db: DbOrTx, recordId: string, number: number): BatchRow | null {
  return batchAt(db).get({ recordId, number }) ?? null;
}
