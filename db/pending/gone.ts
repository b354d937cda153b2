import { and, eq, sql } from "drizzle-orm";
import { noParts } from "../../domain/outcome.ts";
import type { ArtifactReport, BatchArtifact } from "../../domain/worker-messages.ts";
import type { DbOrTx } from "../open.ts";
import { addPlanned } from "../plan/rows.ts";
import { type dispatch, plan } from "../schema/plans.ts";
import { detail, record } from "../schema/records.ts";
import { pass } from "./outcomes.ts";

/**
 * Drops from a batch the files and versions that were deleted after a drain planned them: deletions
 * are not replicated, so this is not a failure. They are removed from the plan, or end as skipped
 * if they had begun. Returns the other artifacts.
 */
export function passGone(
  tx: DbOrTx,
  batch: typeof dispatch.$inferSelect,
  repoName: string,
  artifacts: BatchArtifact[],
  now: number,
): BatchArtifact[] {
  const { recordId, clusterId, object: objectIndex } = batch;
  const gone = artifacts.filter(
    ({ digest, problem }) => digest === null && problem === null,
  );
  if (gone.length === 0) return artifacts;
  const taskKey =
    tx.select({ key: record.taskKey }).from(record).where(eq(record.id, recordId)).get()
      ?.key ?? "";
  for (const { seq, name, version } of gone) {
    const ended = tx
      .update(detail)
      .set({
        status: "SUCCESS",
        skip: true,
        endTime: now,
        errorReason: null,
        again: false,
        uploads: null,
      })
      .where(
        and(
          eq(detail.recordId, recordId),
          eq(detail.clusterId, clusterId),
          eq(detail.object, objectIndex),
          eq(detail.seq, seq),
        ),
      )
      .run().changes;
    if (ended === 0) dropPlanned(tx, batch, seq);
    pass(tx, { taskKey, clusterId, recordId, repoName }, { path: name, version });
  }
  return artifacts.filter((artifact) => !gone.includes(artifact));
}

function dropPlanned(tx: DbOrTx, batch: typeof dispatch.$inferSelect, seq: number): void {
  const row = tx
    .delete(plan)
    .where(
      and(
        eq(plan.recordId, batch.recordId),
        eq(plan.object, batch.object),
        eq(plan.seq, seq),
      ),
    )
    .returning({ size: plan.size })
    .get();
  if (row) addPlanned(tx, batch, -1, -(row.size ?? 0));
}

/**
 * Turns the failure of a file or version, unless it is a conflict, into "nothing to do" if the file
 * or version was deleted after its batch was dispatched. Returns any other report unchanged.
 */
export function excuseGone(
  tx: DbOrTx,
  place: { projectId: string; repoName: string },
  report: ArtifactReport,
): ArtifactReport {
  const { outcome } = report;
  if (
    outcome?.result.kind !== "failed" ||
    outcome.result.conflict ||
    !isGone(tx, place, report)
  )
    return report;
  return {
    ...report,
    outcome: { ...outcome, result: { kind: "same" }, parts: noParts() },
  };
}

function isGone(
  tx: DbOrTx,
  { projectId, repoName }: { projectId: string; repoName: string },
  { name, version }: Pick<ArtifactReport, "name" | "version">,
): boolean {
  const there =
    version === ""
      ? sql`SELECT 1 FROM node WHERE repository_id = r.id AND full_path = ${name} AND folder = 0`
      : sql`
        SELECT 1 FROM package k
        JOIN version v ON v.package_id = k.id
        WHERE k.repository_id = r.id AND k.name = ${name} AND v.name = ${version}`;
  const found = tx.get(sql`
    SELECT 1 FROM repository r
    WHERE r.project_id = ${projectId} AND r.name = ${repoName} AND NOT EXISTS (${there})`);
  return found !== undefined;
}
