import { sql } from "drizzle-orm";
import { type Db, type DbOrTx, write } from "../open.ts";
import { laneOf, type Rooms, takeRoom, UNLIMITED } from "./cut-lanes.ts";
import {
  cutAgain,
  cutPlan,
  cutRest,
  dueAgain,
  hasRest,
  nextPlanned,
  summarize,
} from "./cut-rows.ts";
import type { Cut, CutRequest, Cutting } from "./cutting.ts";
import { haltReason } from "../records/halts.ts";
import { snapshotOf } from "../records/snapshots.ts";

/** The result of a cut; `blocked`: something was not cut, only because its lane had no room. */
type RoomyCut = Cut & { blocked: boolean };

const NOTHING: RoomyCut = { batches: [], left: false, due: null, blocked: false };

/**
 * Cuts the next batches of some objects for a cluster: first artifacts that are due to be tried
 * again, then what ended batches had not begun, then the next parts of the plan, as far as there is
 * room. A cut that has made batches returns them again when it is repeated. Cuts nothing when the
 * run must not continue at the cluster.
 */
export function cutBatches(
  db: Db,
  request: CutRequest,
  now: number,
  rooms: Rooms = UNLIMITED,
): RoomyCut {
  const {
    recordId,
    clusterId,
    object: objectIndex,
    objectsEnd = objectIndex + 1,
  } = request;
  return write(db, (tx) => {
    if (haltReason(tx, recordId, clusterId) !== null) return NOTHING;
    const snapshot = snapshotOf(tx, recordId);
    if (!snapshot) return NOTHING;
    const cutting: Cutting = { ...request, objectsEnd, now, snapshot };
    const before = cutBefore(tx, cutting);
    const blocked = before.length === 0 && cutNew(tx, cutting, { ...rooms }, before);
    return {
      batches: before.map((number) => summarize(tx, cutting, number)),
      ...remaining(tx, cutting),
      blocked,
    };
  });
}

function cutBefore(
  tx: DbOrTx,
  { recordId, object: objectIndex, objectsEnd, clusterId, cut }: Cutting,
): number[] {
  const rows = tx.all<{ number: number }>(sql`
    SELECT number FROM dispatch
    WHERE record_id = ${recordId}
      AND cluster_id = ${clusterId}
      AND cut = ${cut}
      AND object >= ${objectIndex}
      AND object < ${objectsEnd}
    ORDER BY number`);
  return rows.map(({ number }) => number);
}

/**
 * Cuts new batches and adds their numbers to `numbers`; returns whether it stopped for lack of
 * room.
 */
function cutNew(tx: DbOrTx, cutting: Cutting, rooms: Rooms, numbers: number[]): boolean {
  while (numbers.length < cutting.most) {
    const number = cutNext(tx, cutting, rooms);
    if (number === "blocked") return true;
    if (number === null) return false;
    numbers.push(number);
  }
  return false;
}

function cutNext(tx: DbOrTx, cutting: Cutting, rooms: Rooms): number | "blocked" | null {
  const again = dueAgain(tx, cutting);
  if (again !== null) {
    const lane = again.whole ? "WHOLE" : "SHARED";
    return takeRoom(rooms, lane) ? cutAgain(tx, cutting, again, lane) : "blocked";
  }
  if (hasRest(tx, cutting))
    return takeRoom(rooms, "SHARED") ? cutRest(tx, cutting) : "blocked";
  const planned = nextPlanned(tx, cutting);
  if (planned === null) return null;
  const lane = laneOf(tx, cutting, planned, rooms);
  return takeRoom(rooms, lane) ? cutPlan(tx, cutting, planned, lane) : "blocked";
}

/**
 * Returns whether anything is left to cut (`left`) and, if all of it must wait, when the first is
 * due (`due`, epoch ms, else null) and why it waits. A restarted run counts its cuts from 1 again: batches that the
 * earlier run cut under higher numbers are still to be requested.
 */
function remaining(tx: DbOrTx, cutting: Cutting): Omit<Cut, "batches"> {
  const { recordId, object: objectIndex, objectsEnd, clusterId, cut } = cutting;
  const range = sql`
    record_id = ${recordId}
    AND cluster_id = ${clusterId}
    AND object >= ${objectIndex}
    AND object < ${objectsEnd}`;
  const { due } = tx.get<{ due: number | null }>(sql`
    SELECT min(not_before) AS due FROM detail WHERE ${range} AND again = 1`);
  const later = () =>
    tx.get(sql`SELECT 1 FROM dispatch WHERE ${range} AND cut > ${cut} LIMIT 1`) !==
    undefined;
  const now = hasRest(tx, cutting) || nextPlanned(tx, cutting, true) !== null || later();
  if (now || due === null) return { left: now, due: null };
  const first = tx.get<{ reason: string | null } | undefined>(sql`
    SELECT error_reason AS reason FROM detail
    WHERE ${range} AND again = 1 AND not_before = ${due} LIMIT 1`);
  return { left: true, due, ...(first?.reason && { reason: first.reason }) };
}
