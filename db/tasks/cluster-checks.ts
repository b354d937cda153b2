import { and, eq, gt, isNotNull, sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { clusterCheck } from "../schema/tasks.ts";

/** A test of a cluster in which the process ended; `last`: when it was begun (epoch ms). */
type Unfinished = { deaths: number; last: number };

/**
 * Notes that the test of a cluster begins. If the process ends before `endCheck`, the next one knows which tests were
 * under way.
 */
export function beginCheck(db: DbOrTx, clusterId: string, now: number): void {
  db.insert(clusterCheck)
    .values({ clusterId, begun: now, last: now })
    .onConflictDoUpdate({
      target: clusterCheck.clusterId,
      set: { begun: now, last: now },
    })
    .run();
}

/** Forgets what was noted of a cluster, whose test has returned. */
export function endCheck(db: DbOrTx, clusterId: string): void {
  db.delete(clusterCheck).where(eq(clusterCheck.clusterId, clusterId)).run();
}

/** Counts, at the start of the process, the tests that were under way when the one before ended. */
export function countUnfinished(db: DbOrTx): void {
  db.update(clusterCheck)
    .set({ begun: null, deaths: sql`${clusterCheck.deaths} + 1` })
    .where(isNotNull(clusterCheck.begun))
    .run();
}

/** Forgets the tests under way of a process that ends in order. */
export function forgetUnderWay(db: DbOrTx): void {
  db.delete(clusterCheck)
    .where(and(isNotNull(clusterCheck.begun), eq(clusterCheck.deaths, 0)))
    .run();
  db.update(clusterCheck).set({ begun: null }).run();
}

/** Returns the clusters in whose last tests processes have ended, by id. */
export function unfinishedChecks(db: DbOrTx): Map<string, Unfinished> {
  const rows = db.select().from(clusterCheck).where(gt(clusterCheck.deaths, 0)).all();
  return new Map(
    rows.map(({ clusterId, deaths, last }) => [clusterId, { deaths, last }] as const),
  );
}
