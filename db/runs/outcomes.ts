import type { Lane } from "../../domain/lanes.ts";
import { DRAIN_WINDOW, nextTry, nextTurn } from "../../domain/retry.ts";
import {
  noParts,
  type ArtifactOutcome,
  type ArtifactResult,
} from "../../domain/outcome.ts";
import { safeSize } from "../../domain/safe-size.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type {
  ArtifactReport,
  ReportAnswer,
  ReportRequest,
} from "../../domain/worker-messages.ts";
import { excuseGone } from "../pending/gone.ts";
import {
  type DrainReports,
  noteEnded,
  noteUnreachable,
  openReports,
} from "../pending/outcomes.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { halt } from "../schema/records.ts";
import { type BatchRow, endBatch, endsOf, findBatch } from "./end-batch.ts";
import { haltReason, isOver } from "../records/halts.ts";
import { type DetailValues, detailStatements } from "./detail-statements.ts";
import { snapshotOf } from "../records/snapshots.ts";

const MOST_REASON = 2_000;

/** Returns whether a running batch must give its slot to others. */
export type MustYield = (batch: {
  lane: Lane | null;
  id: string;
  ends: readonly string[];
}) => boolean;

/**
 * Records a worker's reports about its batch. Repeating the call changes nothing. Reports of a
 * worker that held the batch earlier are dropped, and a recorded outcome stays. `retryWindow` in
 * ms; drains have a fixed one.
 */
export function takeReports(
  db: Db,
  request: ReportRequest,
  retryWindow: number,
  now: number,
  mustYield: MustYield = () => false,
): ReportAnswer {
  const { recordId, number, epoch, done } = request;
  return write(db, (tx) => {
    const batch = findBatch(tx, recordId, number);
    const snapshot = snapshotOf(tx, recordId);
    if (!batch || !snapshot || isOver(tx, recordId)) return { stop: "the run is over" };
    if (batch.epoch !== epoch || batch.done)
      return { stop: "another worker has taken the batch over" };
    const drain = openReports(tx, batch, snapshot, request.reports, now);
    const context = {
      batch,
      setting: snapshot.setting,
      retryWindow: drain ? DRAIN_WINDOW : retryWindow,
      now,
      drain,
    };
    for (const report of request.reports)
      takeReport(db, tx, context, drain ? excuseGone(tx, drain, report) : report);
    const stop = haltReason(tx, recordId, batch.clusterId);
    if (done) return { stop, rest: endBatch(tx, batch, done, now) };
    return {
      stop,
      ...(mustYield({
        lane: batch.lane,
        id: `${recordId}/${number}`,
        ends: endsOf(batch),
      })
        ? { handBack: true }
        : {}),
    };
  });
}

type Context = {
  batch: BatchRow;
  setting: RunSnapshot["setting"];
  retryWindow: number;
  now: number;
  drain: DrainReports | null;
};

function takeReport(db: Db, tx: DbOrTx, context: Context, report: ArtifactReport): void {
  const { recordId, clusterId, object: objectIndex } = context.batch;
  const { drain } = context;
  const statements = detailStatements(db);
  const known = statements.tries.get({
    recordId,
    clusterId,
    object: objectIndex,
    seq: report.seq,
  });
  if (drain && report.outcome)
    noteUnreachable(tx, drain, report.outcome.result, known?.firstFailure ?? null);
  const values = {
    ...begun(context, report),
    tries: known?.tries ?? 0,
    errorReason: known?.errorReason ?? null,
    ...outcomeOf(context, report, known),
  };
  const saved = statements.save.run(values).changes > 0;
  if (!saved || !report.outcome) return;
  if (drain && values.status !== "RUNNING")
    noteEnded(
      tx,
      drain,
      { path: report.name, version: report.version },
      report.outcome.result,
    );
  if (values.status === "FAILED") haltCluster(tx, context, values, report.outcome.result);
}

/** Builds the row of an artifact that has begun and has no outcome. */
function begun({ batch }: Context, report: ArtifactReport): DetailValues {
  const { outcome } = report;
  const { blob, node } = outcome?.parts ?? noParts();
  const size = outcome?.size ?? report.size;
  return {
    recordId: batch.recordId,
    clusterId: batch.clusterId,
    object: batch.object,
    seq: report.seq,
    artifactName: report.name,
    version: report.version,
    status: "RUNNING",
    dispatch: batch.number,
    epoch: batch.epoch,
    size: size === null ? null : safeSize(size),
    sizePlanned: report.sizePlanned ? 1 : 0,
    digest: outcome?.digest ?? null,
    conflict: 0,
    skip: 0,
    conflictStrategy: null,
    blobSuccess: blob.success,
    blobSkip: blob.skip,
    blobFailed: blob.failed,
    nodeSuccess: node.success,
    nodeSkip: node.skip,
    nodeFailed: node.failed,
    bytesSent: safeSize(report.bytesSent),
    // A yielded artifact counts 0 here: its row stays open, and the next report would add the bytes
    // again.
    bytesRead: outcome?.result.kind === "yielded" ? 0 : safeSize(outcome?.bytesRead ?? 0),
    compared: outcome?.compared ?? null,
    verified: outcome?.verified ?? null,
    note: noteOf(outcome)?.slice(0, MOST_REASON) ?? null,
    startTime: report.startTime,
    endTime: null,
    errorReason: null,
    again: 0,
    notBefore: null,
    firstFailure: null,
    uploads: JSON.stringify(report.uploads),
    tries: 0,
    unsent: outcome?.unsent ? 1 : 0,
    whole: report.whole ? 1 : 0,
  };
}

const LEFT_ALONE =
  "the target has other content, which stays there (conflictStrategy SKIP): OVERWRITE replaces it";

const noteOf = (outcome: ArtifactOutcome | null): string | undefined =>
  outcome?.note ?? (outcome?.result.kind === "skipped" ? LEFT_ALONE : undefined);

type Known = { tries: number; firstFailure: number | null } | undefined;

function outcomeOf(
  context: Context,
  { outcome }: ArtifactReport,
  known: Known,
): Partial<DetailValues> {
  if (!outcome) return {};
  const { result } = outcome;
  if (result.kind === "yielded") return {};
  if (result.kind === "again")
    return postponed(
      context,
      result,
      known?.tries ?? 0,
      known?.firstFailure ?? context.now,
    );
  const failed = result.kind === "failed";
  const conflict =
    result.kind === "replaced" ||
    result.kind === "skipped" ||
    (failed && result.conflict);
  return {
    status: failed ? "FAILED" : "SUCCESS",
    endTime: context.now,
    errorReason: failed ? result.reason.slice(0, MOST_REASON) : null,
    uploads: null,
    conflict: conflict ? 1 : 0,
    skip: result.kind === "same" || result.kind === "skipped" ? 1 : 0,
    conflictStrategy: conflict ? context.setting.conflictStrategy : null,
  };
}

function postponed(
  { now, retryWindow }: Context,
  result: ArtifactResult & { kind: "again" },
  known: number,
  firstFailure: number,
): Partial<DetailValues> {
  const untried = result.untried === true;
  const tries = untried ? known : known + 1;
  const exhausted = !untried && result.maxTries !== undefined && tries >= result.maxTries;
  const due = untried
    ? nextTurn(now, retryWindow, firstFailure)
    : nextTry(now, retryWindow, firstFailure, tries, result.notBefore);
  const notBefore = exhausted ? null : due;
  const reason = result.reason.slice(0, MOST_REASON);
  if (notBefore !== null)
    return {
      again: 1,
      notBefore,
      firstFailure,
      tries,
      errorReason: reason,
      uploads: JSON.stringify(result.uploads),
    };
  const effort = exhausted
    ? `tried ${tries} times`
    : `${untried ? "waited" : "tried"} for ${Math.round((now - firstFailure) / 1000)} s`;
  return {
    status: "FAILED",
    endTime: now,
    errorReason: `${reason} (${effort})`,
    uploads: null,
    tries,
    firstFailure,
  };
}

/**
 * Halts a run at one cluster under FAST_FAIL, which is set as error strategy or for conflicts; the
 * first reason stays.
 */
function haltCluster(
  tx: DbOrTx,
  { batch, setting }: Context,
  detail: DetailValues,
  result: ArtifactResult,
): void {
  const stops = result.kind === "failed" && result.stopsCluster;
  if (!stops && setting.errorStrategy !== "FAST_FAIL") return;
  const subject = detail.version
    ? `${detail.artifactName}:${detail.version}`
    : detail.artifactName;
  const reason = `stopped at the first failure (FAST_FAIL): ${subject}: ${detail.errorReason}`;
  tx.insert(halt)
    .values({ recordId: batch.recordId, clusterId: batch.clusterId, reason })
    .onConflictDoNothing()
    .run();
}
