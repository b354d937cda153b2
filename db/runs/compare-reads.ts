import { sql } from "drizzle-orm";
import type { CompareMode } from "../../domain/vocabulary.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { snapshotOf } from "../records/snapshots.ts";

type Wanted = { recordId: string; clusterId: string; bytes: number };

/**
 * Returns whether a worker may read this many bytes at a cluster to compare contents: under READ
 * always, under SIZE never. Under AUTO, all bytes granted to a run at a cluster stay within
 * `compareReadLimit`, over all workers; granted bytes count whether they are read or not.
 */
export function grantCompareRead(db: Db, wanted: Wanted): boolean {
  return write(db, (tx) => {
    const setting = snapshotOf(tx, wanted.recordId)?.setting;
    return (
      setting !== undefined &&
      GRANTS[setting.compare](tx, wanted, setting.compareReadLimit)
    );
  });
}

const GRANTS = {
  READ: () => true,
  SIZE: () => false,
  AUTO: takeWithin,
} satisfies Record<CompareMode, (tx: DbOrTx, wanted: Wanted, limit: number) => boolean>;

function takeWithin(
  tx: DbOrTx,
  { recordId, clusterId, bytes }: Wanted,
  limit: number,
): boolean {
  tx.run(sql`
    INSERT INTO tally (record_id, cluster_id) VALUES (${recordId}, ${clusterId})
    ON CONFLICT DO NOTHING`);
  const granted = sql`compare_granted + ${bytes}`;
  const place = sql`record_id = ${recordId} AND cluster_id = ${clusterId}`;
  const { changes } = tx.run(sql`
    UPDATE tally SET compare_granted = ${granted}
    WHERE ${place} AND ${granted} <= ${limit}`);
  return changes > 0;
}
