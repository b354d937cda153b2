import { setMaxListeners } from "node:events";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, CopyHooks, Slice } from "../../domain/outcome.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { failed } from "./early.ts";
import { createReporter, type Reporter } from "./reporter.ts";
import { openSlice } from "./slice.ts";
import { traceOutcome } from "./spans.ts";
import { type Batch, type BatchDeps, whenReachable } from "./context.ts";
import { openRoute, type Route, routeKey } from "./routes.ts";

/** `again`: to be tried again after a failure; `rest`: without an outcome, for the batch had no more time. */
export type BatchResult = { total: number; again: number; failed: number; rest?: number };
type Ask = { recordId: string; number: number; signal: AbortSignal; heartbeat: () => void };

/**
 * Moves the artifacts of one batch that have no outcome yet, for as long as it may, and hands in what becomes of each
 * as it happens.
 */
export async function runBatch(deps: BatchDeps, ask: Ask): Promise<BatchResult> {
  const { controlPlane } = deps;
  const { recordId, number } = ask;
  const batch = await whenReachable(ask, () => controlPlane.takeBatch(recordId, number));
  const result: BatchResult = { total: 0, again: 0, failed: 0 };
  // What is left of one that was handed in is found by the next cut.
  if (batch.kind !== "batch") return batch.kind === "done" ? { ...result, rest: 1 } : result;
  const stop = new AbortController();
  const signal = AbortSignal.any([ask.signal, stop.signal]);
  // Every request of the batch listens to it.
  setMaxListeners(0, signal);
  const interrupt = () => stop.abort(new TransferError("yielded", "the batch has had its time"));
  const slice = openSlice(batch.lane, deps.batchSlice, interrupt);
  let route: Route | undefined;
  let broken = true;
  const reporter = createReporter({
    send: (reports, done) =>
      controlPlane.report({
        recordId,
        number,
        lease: batch.lease,
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
    if (outcome.result.kind === "yielded") return outcome.result.whole ? reporter.putOff(artifact) : undefined;
    if (signal.aborted && outcome.result.kind === "failed") return;
    traceOutcome({ recordId, batch, artifact, begun: reporter.end(artifact, outcome) }, outcome);
    result.total += 1;
    if (outcome.result.kind === "again") result.again += 1;
    if (outcome.result.kind !== "failed") return;
    result.failed += 1;
    if (batch.endsAtFailure)
      stop.abort(new TransferError("cancelled", "the run stops at its first failure (FAST_FAIL)"));
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
    const rest = await reporter.close(broken ? null : { interrupted: stop.signal.aborted });
    // What an attempt has put off before it died is counted by none: the next cut finds it.
    if (rest > 0 || batch.lease > 1) result.rest = Math.max(rest, 1);
  }
  return result;
}

type Run = {
  reporter: Reporter;
  signal: AbortSignal;
  slice: Slice;
  end: (artifact: BatchArtifact, outcome: ArtifactOutcome) => void;
};

/** Why nothing can be sent is the outcome of each artifact, not a failure of the batch. */
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
    mayHaveSent: batch.lease > 1 || artifact.begun,
  });
  const work = { artifacts: sendable, batch, hooks, rules, signal, slice, begin: reporter.begin, end, concurrency };
  try {
    await route.send(work);
  } catch (error) {
    if (signal.aborted) return;
    throw toTransferError(error);
  }
}
