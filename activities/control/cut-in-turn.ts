import { cutBatches } from "../../db/runs/cut.ts";
import { type Cut, type CutRequest, sourceOf } from "../../db/runs/cutting.ts";
import { endsOf } from "../../db/runs/end-batch.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import type { Db } from "../../db/open.ts";
import type { Asker, Turns } from "./turns.ts";

/** Whoever waits for a turn asks again after this by itself, should the call be lost. */
const PATIENCE_MS = 60_000;

/** `waits`: the workflow is told when it may cut more; else somebody else asks for what it may not cut now. */
type Who = { workflowId: string; waits: boolean };

/** Cuts as much as it is the workflow's turn to. */
export function cutInTurn(db: Db, turns: Turns, request: CutRequest, { workflowId, waits }: Who, now: number): Cut {
  const asker = askerOf(db, request, workflowId);
  if (!asker) return { batches: [], left: false, due: null };
  const { blocked, ...cut } = cutBatches(db, request, now, turns.ask(asker, request.most));
  turns.took(asker, countShared(cut), blocked && waits);
  return blocked ? { ...cut, left: true, due: waits ? now + PATIENCE_MS : null } : cut;
}

const countShared = ({ batches }: Cut): number => batches.filter(({ lane = "SHARED" }) => lane === "SHARED").length;

/** Null when the record is gone. Of several objects at once the sources may be many; then only the cluster counts. */
function askerOf(
  db: Db,
  { recordId, object, objectsEnd = object + 1, clusterId }: CutRequest,
  workflowId: string,
): Asker | null {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return null;
  const source = objectsEnd === object + 1 ? sourceOf(snapshot, object) : null;
  return { workflowId, projectId: snapshot.projectId, recordId, ends: endsOf({ clusterId, source }) };
}
