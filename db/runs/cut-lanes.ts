import { sql } from "drizzle-orm";
import { type Lane, SMALL_NEWS, SMALL_RUN } from "../../domain/lanes.ts";
import type { DbOrTx } from "../open.ts";
import type { Planned } from "./cut-rows.ts";
import { prepared } from "../prepared.ts";
import { dispatch } from "../schema/replication.ts";
import { type Cutting, sourceOf } from "./cutting.ts";

/** How many batches of each limited lane may be cut now. */
export type Rooms = { shared: number; quick: number };

/** For who asks without limits. */
export const UNLIMITED: Rooms = { shared: Number.POSITIVE_INFINITY, quick: 0 };

/** Takes a place of that lane; false when there is none. */
export function takeRoom(rooms: Rooms, lane: Lane): boolean {
  if (lane === "WHOLE" || lane === "ALONE") return true;
  const kind = lane === "SHARED" ? "shared" : "quick";
  if (rooms[kind] < 1) return false;
  rooms[kind] -= 1;
  return true;
}

/** What an artifact of a linked repository is taken for, whose size shows only with its transfer. */
const UNKNOWN_BYTES = 6 * 1024 ** 2;

type Amount = { artifacts: number; bytes: number };
const isAtMost = ({ artifacts, bytes }: Amount, most: Amount) => artifacts <= most.artifacts && bytes <= most.bytes;

/** News of a REAL_TIME task and runs of a few small artifacts go to the slots that are kept for them, while there is room. */
export function laneOf(tx: DbOrTx, { recordId, snapshot }: Cutting, planned: Planned, rooms: Rooms): Lane {
  if (rooms.quick < 1) return "SHARED";
  if (snapshot.replicaType === "REAL_TIME") return isAtMost(planned, SMALL_NEWS) ? "QUICK" : "SHARED";
  const run = tx.get<Amount>(
    sql`SELECT coalesce(sum(planned), 0) AS artifacts, coalesce(sum(bytes), 0) AS bytes FROM plan_object WHERE record_id = ${recordId}`,
  );
  if (sourceOf(snapshot, planned.object) !== null) run.bytes += run.artifacts * UNKNOWN_BYTES;
  return isAtMost(run, SMALL_RUN) ? "QUICK" : "SHARED";
}

/** Open batches by their ends; `taken`: when a worker took the one that it has had longest (epoch ms). */
export type Open = { lane: Lane; clusterId: string; source: string | null; n: number; taken: number | null };

export function openBatches(tx: DbOrTx): Open[] {
  return open(tx).all();
}

const open = prepared((db) => {
  const { lane, clusterId, source } = dispatch;
  const sums = { n: sql<number>`count(*)`, taken: sql<number | null>`min(${dispatch.takenTime})` };
  return db
    .select({ lane: sql<Lane>`${lane}`, clusterId, source, ...sums })
    .from(dispatch)
    .where(sql`${dispatch.done} = 0 AND ${lane} IS NOT NULL`)
    .groupBy(lane, clusterId, source)
    .prepare();
});
