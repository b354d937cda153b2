import { setMaxListeners } from "node:events";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, CopyHooks, Slice } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { failed } from "./early.ts";
import { createReporter, type Reporter } from "./reporter.ts";
import { openSlice } from "./slice.ts";
import { traceOutcome } from "./spans.ts";
import { type BatchDeps, whenReachable } from "./context.ts";
import { openRoute, routeKey } from "./routes.ts";
import type { Batch, Route } from "./work.ts";

/**
 * `total`: of how many artifacts the batch reported a result; `again`, `failed`: how many of them are to be
 * tried again, or have failed; `rest`: at least 1 if artifacts without an outcome may be left, which a
 * later cut must look for.
 */
export type BatchResult = { total: number; again: number; failed: number; rest?: number };
type Ask = {
  recordId: string;
  number: number;
  signal: AbortSignal;
  heartbeat: () => void;
};

/**
 * Sends those artifacts of a batch that have no outcome yet, for as long as the slice of the batch
 * lasts. Reports their progress and outcomes as they happen.
 */
export async function runBatch(deps: BatchDeps, ask: Ask): Promise<BatchResult> {
  const { controlPlane } = deps;
  const { recordId, number } = ask;
  const batch = await whenReachable(ask, () => controlPlane.takeBatch(recordId, number));
  const result: BatchResult = { total: 0, again: 0, failed: 0 };
  // The run is halted, or the batch has ended already ("done"); if it has ended, `rest` makes the run cut again.
  if (batch.kind !== "batch")
    return batch.kind === "done" ? { ...result, rest: 1 } : result;
  const stop = new AbortController();
  const signal = AbortSignal.any([ask.signal, stop.signal]);
  // Without a limit: every request of the batch adds a listener to the signal.
  setMaxListeners(0, signal);
  const interrupt = () =>
    stop.abort(new TransferError("yielded", "the batch's time is over"));
  const slice = openSlice(batch.lane, deps.batchSlice, interrupt);
  let route: Route | undefined;
  let broken = true;
  const reporter = createReporter({
    send: (reports, done) =>
      controlPlane.report({
        recordId,
        number,
        epoch: batch.epoch,
        reports,
        ...(route ? { waits: route.waits() } : {}),
        ...(done ? { done } : {}),
      }),
    heartbeat: ask.heartbeat,
    onStop: (reason) => stop.abort(new TransferError("cancelled", reason)),
    onHandBack: interrupt,
    signal: ask.signal,
  });
  const end = (artifact: BatchArtifact, outcome: ArtifactOutcome) => {
    if (outcome.result.kind === "yielded")
      return outcome.result.whole ? reporter.putOff(artifact) : undefined;
    if (signal.aborted && outcome.result.kind === "failed") return;
    const begun = reporter.end(artifact, overAllAttempts(batch, artifact, outcome));
    traceOutcome({ recordId, batch, artifact, begun }, outcome);
    result.total += 1;
    if (outcome.result.kind === "again") result.again += 1;
    if (outcome.result.kind !== "failed") return;
    result.failed += 1;
    if (batch.endsAtFailure)
      stop.abort(
        new TransferError("cancelled", "the run stops at its first failure (FAST_FAIL)"),
      );
  };
  try {
    await deps.routes.use(
      routeKey(recordId, batch),
      () => openRoute(deps, recordId, batch),
      (opened) => {
        route = opened;
        return send(deps.concurrency, opened, batch, { reporter, signal, slice, end });
      },
    );
    broken = false;
  } finally {
    slice.close();
    const rest = await reporter.close(
      broken ? null : { interrupted: stop.signal.aborted },
    );
    // An earlier attempt whose worker died may have postponed artifacts without counting them: `rest` 1
    // makes the run look for them.
    if (rest > 0 || batch.epoch > 1) result.rest = Math.max(rest, 1);
  }
  return result;
}

const mayHaveSent = ({ epoch }: Batch, { begun }: BatchArtifact) => epoch > 1 || begun;

/** Returns the outcome of an attempt, `unsent` only if that holds for all earlier attempts, too. */
function overAllAttempts(
  batch: Batch,
  artifact: BatchArtifact,
  { unsent, ...outcome }: ArtifactOutcome,
): ArtifactOutcome {
  return unsent && !mayHaveSent(batch, artifact) ? { ...outcome, unsent } : outcome;
}

type Run = {
  reporter: Reporter;
  signal: AbortSignal;
  slice: Slice;
  end: (artifact: BatchArtifact, outcome: ArtifactOutcome) => void;
};

/**
 * Sends the artifacts of a batch through its route. An artifact whose problem is known from the plan ends
 * as failed and is not sent. An error of the route is thrown, unless the signal has fired.
 */
async function send(
  concurrency: number,
  route: Route,
  batch: Batch,
  { reporter, signal, slice, end }: Run,
): Promise<void> {
  const sendable = batch.artifacts.filter((artifact) => {
    if (artifact.problem === null) return true;
    end(artifact, failed(artifact.problem));
    return false;
  });
  const hooks = (artifact: BatchArtifact): CopyHooks => ({
    signal,
    slice,
    throttle: (bytes) => route.throttle(bytes, signal),
    onUpload: (state) => reporter.uploaded(artifact.seq, state),
    onBytes: (bytes) => reporter.moved(artifact.seq, bytes),
  });
  const rules = (artifact: BatchArtifact) => ({
    conflictStrategy: batch.setting.conflictStrategy,
    includeMetadata: batch.setting.includeMetadata,
    mayHaveSent: mayHaveSent(batch, artifact),
  });
  const work = {
    artifacts: sendable,
    batch,
    hooks,
    rules,
    signal,
    slice,
    begin: reporter.begin,
    end,
    concurrency,
  };
  try {
    await route.send(work);
  } catch (error) {
    if (signal.aborted) return;
    throw toTransferError(error);
  }
}
