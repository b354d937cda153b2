import { cutBatches } from "../../db/runs/cut.ts";
import { type Cut, type CutRequest, sourceOf } from "../../db/runs/cutting.ts";
import { endsOf } from "../../db/runs/end-batch.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import type { Db } from "../../db/open.ts";
import type { Turns } from "./turns.ts";
import type { Asker } from "./waiters.ts";

/** A workflow that waits for a turn asks again after this long (ms), in case the wake-up is lost. */
const PATIENCE_MS = 60_000;

const OTHERS_FIRST = "other runs use the transfer workers, and it is their turn";

/**
 * A workflow that asks for batches. `waits` true: this workflow is woken when it may cut more; false:
 * another workflow will ask for the rest.
 */
type Who = { workflowId: string; waits: boolean };

/**
 * Cuts batches for a workflow as far as its turn allows. If the turn ends the cut, the result has `left`
 * true and `due` null, or with `waits` the time to ask again (epoch ms). Returns an empty cut when the
 * record is gone.
 */
export function cutInTurn(
  db: Db,
  turns: Turns,
  request: CutRequest,
  { workflowId, waits }: Who,
  now: number,
): Cut {
  const asker = askerOf(db, request, workflowId);
  if (!asker) return { batches: [], left: false, due: null };
  const { blocked, ...cut } = cutBatches(
    db,
    request,
    now,
    turns.ask(asker, request.most),
  );
  turns.took(asker, countShared(cut), blocked && waits);
  if (!blocked) return cut;
  const due = waits ? now + PATIENCE_MS : null;
  return { batches: cut.batches, left: true, due, reason: OTHERS_FIRST };
}

const countShared = ({ batches }: Cut): number =>
  batches.filter(({ lane = "SHARED" }) => lane === "SHARED").length;

/**
 * Returns the workflow with its ends, or null when the record is gone. A cut over several objects may
 * have many sources; then the cluster is the only end.
 */
function askerOf(
  db: Db,
  { recordId, object: objectIndex, objectsEnd = objectIndex + 1, clusterId }: CutRequest,
  workflowId: string,
): Asker | null {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return null;
  const source = objectsEnd === objectIndex + 1 ? sourceOf(snapshot, objectIndex) : null;
  return {
    workflowId,
    projectId: snapshot.projectId,
    recordId,
    ends: endsOf({ clusterId, source }),
  };
}
