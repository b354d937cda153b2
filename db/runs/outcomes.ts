import { and, eq } from "drizzle-orm";
import { nextTry } from "../../domain/retry.ts";
import type { ArtifactOutcome, ArtifactResult } from "../../domain/outcome.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { ArtifactReport, ReportAnswer, ReportRequest } from "../../domain/worker-messages.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { detail, dispatch, halt } from "../schema/replication.ts";
import { haltReason } from "./cut.ts";
import { snapshotOf } from "./targets.ts";

const MOST_REASON = 2_000;

/**
 * Takes in what a worker says of its batch. Saying it twice changes nothing; what an older holder of the batch says is dropped, and
 * an outcome once recorded stays.
 */
export function takeReports(db: Db, request: ReportRequest, retryWindow: number, now: number): ReportAnswer {
  const { recordId, number, lease } = request;
  return write(db, (tx) => {
    const batch = tx
      .select()
      .from(dispatch)
      .where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number)))
      .get();
    const snapshot = snapshotOf(tx, recordId);
    if (!batch || !snapshot) return { stop: "the record was deleted" };
    if (batch.lease !== lease) return { stop: "another worker has taken the batch over" };
    const over = haltReason(tx, recordId, batch.clusterId);
    if (over === "the run is over") return { stop: over };
    const context = { batch, snapshot, retryWindow, now };
    for (const report of request.reports) takeReport(tx, context, report);
    return { stop: haltReason(tx, recordId, batch.clusterId) };
  });
}

type Context = { batch: typeof dispatch.$inferSelect; snapshot: RunSnapshot; retryWindow: number; now: number };

function takeReport(tx: DbOrTx, context: Context, report: ArtifactReport): void {
  const { recordId, clusterId, object, number: dispatchNumber, lease } = context.batch;
  const known = tx
    .select({ id: detail.id, status: detail.status, dispatch: detail.dispatch, tries: detail.tries, firstFailure: detail.firstFailure, bytesSent: detail.bytesSent, lease: detail.lease })
    .from(detail)
    .where(and(eq(detail.recordId, recordId), eq(detail.clusterId, clusterId), eq(detail.object, object), eq(detail.seq, report.seq)))
    .get();
  if (known && (known.status !== "RUNNING" || known.dispatch > dispatchNumber)) return;
  const { size, sizePlanned, uploads, bytesSent } = report;
  const values = {
    ...(report.outcome
      ? ended(context, report.outcome, known?.tries ?? 0, known?.firstFailure ?? null)
      : { uploads, size }),
    dispatch: dispatchNumber,
    lease,
    bytesSent,
  };
  if (known) tx.update(detail).set(values).where(eq(detail.id, known.id)).run();
  else {
    const { seq, name: artifactName, version, startTime } = report;
    tx.insert(detail)
      .values({ status: "RUNNING", ...values, recordId, clusterId, object, seq, artifactName, version, sizePlanned, size: values.size ?? size, startTime })
      .run();
  }
  if (report.outcome) haltCluster(tx, context, report, report.outcome.result);
}

function ended(context: Context, outcome: ArtifactOutcome, tries: number, firstFailure: number | null) {
  const { result, parts, digest, size } = outcome;
  const common = {
    blobSuccess: parts.blob.success,
    blobSkip: parts.blob.skip,
    blobFailed: parts.blob.failed,
    nodeSuccess: parts.node.success,
    nodeSkip: parts.node.skip,
    nodeFailed: parts.node.failed,
    ...(digest === null ? {} : { digest }),
    ...(size === null ? {} : { size }),
  };
  if (result.kind === "again") return { ...common, ...postponed(context, result, tries + 1, firstFailure ?? context.now) };
  return {
    ...common,
    ...decided(result, context.snapshot.setting.conflictStrategy),
    status: result.kind === "failed" ? ("FAILED" as const) : ("SUCCESS" as const),
    endTime: context.now,
    errorReason: result.kind === "failed" ? result.reason.slice(0, MOST_REASON) : null,
    again: false,
    uploads: null,
  };
}

/** Design.md §6, Counts. */
function decided(result: Exclude<ArtifactResult, { kind: "again" }>, strategy: RunSnapshot["setting"]["conflictStrategy"]) {
  const conflict = result.kind === "replaced" || result.kind === "skipped" || (result.kind === "failed" && result.conflict);
  return {
    conflict,
    skip: result.kind === "same" || result.kind === "skipped",
    conflictStrategy: conflict ? strategy : null,
  };
}

function postponed(context: Context, result: ArtifactResult & { kind: "again" }, tries: number, firstFailure: number) {
  const { now, retryWindow } = context;
  const exhausted = result.maxTries !== undefined && tries >= result.maxTries;
  const notBefore = exhausted ? null : nextTry(now, retryWindow, firstFailure, tries, result.notBefore);
  const reason = result.reason.slice(0, MOST_REASON);
  if (notBefore === null) {
    const errorReason = exhausted ? `${reason} (tried ${tries} times)` : `${reason} (tried for ${Math.round((now - firstFailure) / 1000)} s)`;
    return { status: "FAILED" as const, endTime: now, errorReason, again: false, uploads: null, tries };
  }
  return { again: true, notBefore, firstFailure, tries, errorReason: reason, uploads: result.uploads };
}

/** FAST_FAIL, by the error strategy or by a conflict, ends the whole of the cluster's run; the first reason stays. */
function haltCluster(tx: DbOrTx, context: Context, report: ArtifactReport, result: ArtifactResult): void {
  const { recordId, clusterId, object } = context.batch;
  const row = tx
    .select({ status: detail.status, errorReason: detail.errorReason })
    .from(detail)
    .where(and(eq(detail.recordId, recordId), eq(detail.clusterId, clusterId), eq(detail.object, object), eq(detail.seq, report.seq)))
    .get();
  if (row?.status !== "FAILED") return;
  const stops = result.kind === "failed" && result.stopsCluster;
  if (!stops && context.snapshot.setting.errorStrategy !== "FAST_FAIL") return;
  const subject = report.version ? `${report.name}:${report.version}` : report.name;
  const reason = `stopped at the first failure (FAST_FAIL): ${subject}: ${row.errorReason}`;
  tx.insert(halt).values({ recordId, clusterId, reason }).onConflictDoNothing().run();
}
