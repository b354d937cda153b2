import { and, eq, isNull } from "drizzle-orm";
import { safeSize } from "../../domain/safe-size.ts";
import type { ListedArtifact, ListingAnswer } from "../../domain/worker-messages.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { planObject } from "../schema/plans.ts";
import { record } from "../schema/records.ts";
import { readSource } from "../content/source-end.ts";
import { endPlan } from "./hosted.ts";
import { countingPlanned, insertPlanned, type PlannedRow } from "./rows.ts";
import { snapshotOf } from "../records/snapshots.ts";

const NO_FAILURE = { firstFailure: null, tries: 0, failure: null, retryAt: null };

type ListingState = { complete: boolean; page: number; cursor: string | null };

/**
 * Returns the state of a linked object's listing; null when the object has no plan, or the record
 * is gone, closed or being stopped.
 */
export function listingState(
  db: DbOrTx,
  recordId: string,
  objectIndex: number,
): ListingState | null {
  const row = db
    .select({
      complete: planObject.complete,
      page: planObject.pages,
      cursor: planObject.cursor,
    })
    .from(planObject)
    .innerJoin(record, eq(record.id, planObject.recordId))
    .where(
      and(
        eq(planObject.recordId, recordId),
        eq(planObject.object, objectIndex),
        eq(record.status, "RUNNING"),
        isNull(record.stopReason),
      ),
    )
    .get();
  return row ?? null;
}

/**
 * Returns everything a worker needs to list the next page of a linked object; `over` when no page
 * is to be listed. Ends the plan of the object if its repository does not exist.
 */
export function listingRequest(
  db: DbOrTx,
  recordId: string,
  objectIndex: number,
): ListingAnswer {
  const state = listingState(db, recordId, objectIndex);
  const snapshot = snapshotOf(db, recordId);
  const from = snapshot?.objects[objectIndex];
  if (!state || state.complete || !snapshot || !from) return { kind: "over" };
  const source = readSource(db, snapshot.projectId, from.localRepoName);
  if (source)
    return {
      kind: "list",
      page: state.page,
      cursor: state.cursor,
      projectId: snapshot.projectId,
      object: from,
      source,
    };
  endPlan(
    db,
    recordId,
    objectIndex,
    `repository ${snapshot.projectId}/${from.localRepoName} does not exist`,
  );
  return { kind: "over" };
}

/**
 * Records the page with number `page` of a listing; `next`: where the next page begins, null: this
 * was the last. Recording a page twice changes nothing.
 */
export function takePage(
  db: Db,
  recordId: string,
  objectIndex: number,
  page: number,
  artifacts: ListedArtifact[],
  next: string | null,
): void {
  write(db, (tx) => {
    const state = listingState(tx, recordId, objectIndex);
    if (!state || state.complete || state.page !== page) return;
    const rows = artifacts.map(toRow);
    countingPlanned(tx, { recordId, object: objectIndex }, () =>
      insertPlanned(tx, { recordId, object: objectIndex }, rows),
    );
    tx.update(planObject)
      .set({
        pages: page + 1,
        cursor: next,
        complete: next === null,
        ...NO_FAILURE,
      })
      .where(and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)))
      .run();
  });
}

function toRow({
  name,
  version,
  size = null,
  digest = null,
  problem,
}: ListedArtifact): PlannedRow {
  return {
    name,
    version,
    size: size === null ? null : safeSize(size),
    digest,
    problem: problem ?? null,
  };
}

/**
 * Records that listing has failed. Returns when to try again (epoch ms), or null when it is not to
 * be tried again: this failure has ended the listing, or the listing had ended or lost its record
 * before.
 */
export function takeListingFailure(
  db: Db,
  recordId: string,
  objectIndex: number,
  failure: { reason: string; retryable: boolean; notBefore: number | null },
  retry: (first: number, tries: number, notBefore: number | null) => number | null,
  now: number,
): number | null {
  return write(db, (tx) => {
    const row = tx
      .select()
      .from(planObject)
      .where(and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)))
      .get();
    if (!row || row.complete) return null;
    const tries = row.tries + 1;
    const firstFailure = row.firstFailure ?? now;
    const due = failure.retryable ? retry(firstFailure, tries, failure.notBefore) : null;
    if (due === null) endPlan(tx, recordId, objectIndex, failure.reason);
    else {
      tx.update(planObject)
        .set({ tries, firstFailure, failure: failure.reason, retryAt: due })
        .where(and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)))
        .run();
    }
    return due;
  });
}
