import { sql } from "drizzle-orm";
import { isAtMost, type Lane, SMALL_NEWS } from "../../domain/lanes.ts";
import type { DbOrTx } from "../open.ts";
import type { Planned } from "./cut-rows.ts";
import { prepared } from "../prepared.ts";
import { dispatch } from "../schema/plans.ts";
import { type Cutting, sourceOf } from "./cutting.ts";
import { isSmallRun } from "./small-runs.ts";

/** How many batches may be cut now, for each limited lane. */
export type Rooms = { shared: number; quick: number };

/**
 * The rooms of a caller without limits: any number of batches in the lane SHARED, none in the lane
 * QUICK.
 */
export const UNLIMITED: Rooms = { shared: Number.POSITIVE_INFINITY, quick: 0 };

/**
 * Takes one place in a lane; returns false when the lane has no room. The lanes WHOLE and ALONE
 * always have room.
 */
export function takeRoom(rooms: Rooms, lane: Lane): boolean {
  if (lane === "WHOLE" || lane === "ALONE") return true;
  const kind = lane === "SHARED" ? "shared" : "quick";
  if (rooms[kind] < 1) return false;
  rooms[kind] -= 1;
  return true;
}

/**
 * Chooses the lane for a part of a plan: QUICK for a few small news of a REAL_TIME task and for
 * runs of a few small artifacts, as long as this lane has room, else SHARED.
 */
export function laneOf(
  tx: DbOrTx,
  { recordId, snapshot }: Cutting,
  planned: Planned,
  rooms: Rooms,
): Lane {
  if (rooms.quick < 1) return "SHARED";
  if (snapshot.replicaType === "REAL_TIME")
    return isAtMost(planned, SMALL_NEWS) ? "QUICK" : "SHARED";
  return isSmallRun(tx, recordId, sourceOf(snapshot, planned.object) !== null)
    ? "QUICK"
    : "SHARED";
}

/**
 * Open batches of one lane with the same ends. `n`: how many; `taken`: the earliest time at which a
 * worker took one of them (epoch ms), null: none is taken.
 */
export type Open = {
  lane: Lane;
  clusterId: string;
  source: string | null;
  n: number;
  taken: number | null;
};

export function openBatches(tx: DbOrTx): Open[] {
  return open(tx).all();
}

const open = prepared((db) => {
  const { lane, clusterId, source } = dispatch;
  const sums = {
    n: sql<number>`count(*)`,
    taken: sql<number | null>`min(${dispatch.takenTime})`,
  };
  return db
    .select({ lane: sql<Lane>`${lane}`, clusterId, source, ...sums })
    .from(dispatch)
    .where(sql`${dispatch.done} = 0 AND ${lane} IS NOT NULL`)
    .groupBy(lane, clusterId, source)
    .prepare();
});
