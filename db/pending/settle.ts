import { eq, sql } from "drizzle-orm";
import { drainDelay } from "../../domain/retry.ts";
import type { Db, DbOrTx } from "../open.ts";
import { snapshotOf } from "../records/snapshots.ts";
import { eventCursor, pending } from "../schema/content.ts";
import { planObject } from "../schema/plans.ts";
import { halt, record } from "../schema/records.ts";
import { inTurn } from "../turns.ts";
import { type CursorKey, cursorOf, findCursor } from "./cursors.ts";
import { isAway } from "./outcomes.ts";

const PAGE = 1_000;

type RecordRow = Pick<
  typeof record.$inferSelect,
  "id" | "taskKey" | "clusterId" | "stopReason"
>;

/**
 * Makes the artifacts that have no outcome in a drain halted by FAST_FAIL wait for the next drain,
 * so that the cursor can pass the file that failed. Called before the record is closed. Yields
 * between transactions; may be repeated.
 */
export async function keepUnfinished(
  db: Db,
  recordId: string,
  now: () => number,
): Promise<void> {
  const { taskKey, clusterId, status, stopReason } = record;
  const row = db
    .select({ taskKey, clusterId, status, stopReason })
    .from(record)
    .where(eq(record.id, recordId))
    .get();
  const halted = db
    .select({ away: halt.away })
    .from(halt)
    .where(eq(halt.recordId, recordId))
    .get();
  if (
    !row?.clusterId ||
    row.status !== "RUNNING" ||
    row.stopReason !== null ||
    halted?.away !== false
  )
    return;
  const repositories = snapshotOf(db, recordId)?.objects ?? [];
  const objects = db
    .select({ object: planObject.object })
    .from(planObject)
    .where(eq(planObject.recordId, recordId))
    .all();
  for (const { object: objectIndex } of objects) {
    const last =
      db.get<{ seq: number | null }>(
        sql`SELECT max(seq) AS seq FROM plan WHERE record_id = ${recordId} AND object = ${objectIndex}`,
      )?.seq ?? 0;
    for (let from = 0; from < last; from += PAGE) {
      await inTurn(() =>
        keepRange(
          db,
          {
            recordId,
            object: objectIndex,
            repoName: repositories[objectIndex]?.localRepoName ?? "",
          },
          row,
          from,
          now(),
        ),
      );
    }
  }
}

type PlannedOf = { recordId: string; object: number; repoName: string };

function keepRange(
  db: Db,
  { recordId, object: objectIndex, repoName }: PlannedOf,
  { taskKey, clusterId }: CursorKey,
  from: number,
  now: number,
): void {
  db.run(sql`
    INSERT INTO pending (task_key, cluster_id, repo_name, path, version, since, not_before)
    SELECT c.task_key, c.cluster_id, ${repoName}, p.name, p.version, ${now}, ${now}
    FROM plan p
    JOIN event_cursor c ON c.task_key = ${taskKey} AND c.cluster_id = ${clusterId}
    LEFT JOIN detail d
      ON d.record_id = p.record_id
      AND d.cluster_id = c.cluster_id
      AND d.object = p.object
      AND d.seq = p.seq
    WHERE p.record_id = ${recordId}
      AND p.object = ${objectIndex}
      AND p.seq > ${from}
      AND p.seq <= ${from + PAGE}
      AND (d.id IS NULL OR d.status = 'RUNNING')
    ON CONFLICT DO UPDATE SET record_id = NULL`);
}

/**
 * Moves the cursor in the transaction that closes a drain's record; does nothing for other records.
 * If the cluster was away, or the drain was stopped or broke off, its events stay and the next
 * drain waits.
 */
export function settleDrain(
  tx: DbOrTx,
  { id, taskKey, clusterId, stopReason }: RecordRow,
  now: number,
): void {
  if (clusterId === "") return;
  tx.update(pending).set({ recordId: null }).where(eq(pending.recordId, id)).run();
  const key = { taskKey, clusterId };
  const cursor = findCursor(tx, key);
  if (!cursor) return;
  const caughtUp = cursor.catchUpRecord === id;
  if (stopReason !== null || isAway(tx, id)) {
    const failures = cursor.failures + 1;
    const catchUp = caughtUp ? { catchUpRecord: null } : {};
    tx.update(eventCursor)
      .set({
        failures,
        notBefore: now + drainDelay(failures),
        planned: cursor.position,
        ...catchUp,
      })
      .where(cursorOf(key))
      .run();
    return;
  }
  const position = Math.max(cursor.position, cursor.planned);
  const catchUp = caughtUp ? { catchUp: false, catchUpRecord: null } : {};
  tx.update(eventCursor)
    .set({ position, planned: position, failures: 0, notBefore: null, ...catchUp })
    .where(cursorOf(key))
    .run();
}
