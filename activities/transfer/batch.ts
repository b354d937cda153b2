import { setTimeout as sleep } from "node:timers/promises";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import { noParts, type ArtifactOutcome, type CopyHooks } from "../../domain/outcome.ts";
import type { BatchAnswer, BatchArtifact, Endpoint } from "../../domain/worker-messages.ts";
import type { ControlPlane } from "../control-plane.ts";
import type { HttpOptions } from "../registries/http.ts";
import type { Sealer } from "../secrets/seal.ts";
import type { ContentSource } from "../store/source.ts";
import { createFileSender } from "./batch-files.ts";
import { createImageSender } from "./batch-images.ts";
import { createPool } from "./pool.ts";
import { createReporter, type Reporter } from "./reporter.ts";
import { createThrottle, type Throttle } from "./throttle.ts";

/** How often a worker asks a control plane that is away. */
const AWAY_MS = 1_000;

export type BatchResult = { total: number; again: number; failed: number };
export type Batch = Extract<BatchAnswer, { kind: "batch" }>;
/** Both ends of a batch as this worker reaches them; kept for the batches of the same run that follow. */
export type Sender = { send: (work: Work) => Promise<void>; close: () => void };
export type Line = Sender & { throttle: Throttle };
export type NetworkRules = Pick<HttpOptions, "allowedAddresses" | "proxy">;

export type BatchDeps = {
  controlPlane: ControlPlane;
  sealer: Sealer;
  content: ContentSource;
  network: NetworkRules;
  /** Artifacts of a batch that are handled at once. */
  concurrency: number;
  lines: ReturnType<typeof createPool<Line>>;
};

type Ask = { recordId: string; number: number; signal: AbortSignal; heartbeat: () => void };

/** Moves the artifacts of one batch that have no outcome yet, and hands in what becomes of each as it happens. */
export async function runBatch(deps: BatchDeps, ask: Ask): Promise<BatchResult> {
  const { controlPlane } = deps;
  const { recordId, number } = ask;
  const batch = await whenReachable(ask, () => controlPlane.takeBatch(recordId, number));
  const result: BatchResult = { total: 0, again: 0, failed: 0 };
  if (batch.kind === "halted") return result;
  const stop = new AbortController();
  const signal = AbortSignal.any([ask.signal, stop.signal]);
  const reporter = createReporter({
    send: (reports) => controlPlane.report({ recordId, number, lease: batch.lease, reports }),
    heartbeat: ask.heartbeat,
    onStop: (reason) => stop.abort(new TransferError("cancelled", reason)),
    signal: ask.signal,
  });
  const end = (artifact: BatchArtifact, outcome: ArtifactOutcome) => {
    if (signal.aborted && outcome.result.kind === "failed") return;
    reporter.end(artifact, outcome);
    result.total += 1;
    if (outcome.result.kind === "again") result.again += 1;
    if (outcome.result.kind === "failed") result.failed += 1;
  };
  try {
    const key = `${recordId}/${batch.clusterId}/${batch.object.localRepoName}`;
    await deps.lines.use(key, () => openLine(deps, ask.recordId, batch), (line) => send(deps, line, batch, { reporter, signal, end }));
  } finally {
    await reporter.close();
  }
  return result;
}

type Run = { reporter: Reporter; signal: AbortSignal; end: (artifact: BatchArtifact, outcome: ArtifactOutcome) => void };

/** Why nothing can be sent is the outcome of each artifact, not a failure of the batch. */
async function send(deps: BatchDeps, line: Line, batch: Batch, { reporter, signal, end }: Run): Promise<void> {
  const sendable = batch.artifacts.filter((artifact) => {
    if (artifact.problem === null) return true;
    end(artifact, failed(artifact.problem));
    return false;
  });
  const hooks = (artifact: BatchArtifact): CopyHooks => ({
    signal,
    throttle: (bytes) => line.throttle(bytes, signal),
    onUpload: (state) => reporter.uploaded(artifact.seq, state),
    onBytes: (bytes) => reporter.moved(artifact.seq, bytes),
  });
  const rules = (artifact: BatchArtifact) => ({
    conflictStrategy: batch.setting.conflictStrategy,
    includeMetadata: batch.setting.includeMetadata,
    mayHaveSent: batch.lease > 1 || artifact.begun,
  });
  const work = { artifacts: sendable, batch, hooks, rules, signal, begin: reporter.begin, end, concurrency: deps.concurrency };
  try {
    await line.send(work);
  } catch (error) {
    if (signal.aborted) return;
    throw toTransferError(error);
  }
}

/** What a kind of artifact is sent with. */
export type Work = {
  artifacts: BatchArtifact[];
  batch: Batch;
  hooks: (artifact: BatchArtifact) => CopyHooks;
  rules: (artifact: BatchArtifact) => { conflictStrategy: Batch["setting"]["conflictStrategy"]; includeMetadata: boolean; mayHaveSent: boolean };
  signal: AbortSignal;
  begin: (artifact: BatchArtifact) => void;
  end: (artifact: BatchArtifact, outcome: ArtifactOutcome) => void;
  concurrency: number;
};

function openLine(deps: BatchDeps, recordId: string, batch: Batch): Line {
  const throttle = createThrottle(batch.setting.rateLimit, (bytes) => deps.controlPlane.lease(recordId, batch.clusterId, bytes));
  const target = openEndpoint(deps, batch.target);
  const sender = batch.object.category === "LOCAL" ? createFileSender(deps.content, target) : createImageSender(openEndpoint(deps, batch.source), target);
  return { throttle, ...sender };
}

export type OpenedEndpoint = ReturnType<typeof openEndpoint>;

/** An end with its credentials in the clear; these never leave this process but to that end. */
export function openEndpoint({ sealer, network }: Pick<BatchDeps, "sealer" | "network">, { secret, sealedFor, ...endpoint }: Endpoint) {
  const opened = secret ? (JSON.parse(sealer.open(secret, sealedFor)) as { password?: string; token?: string }) : {};
  return { ...endpoint, password: opened.password ?? null, token: opened.token ?? null, ...network };
}

/** Waits, heartbeating, while the control plane is away. */
export async function whenReachable<T>({ signal, heartbeat }: Pick<Ask, "signal" | "heartbeat">, call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!toTransferError(error).retryable) throw error;
      heartbeat();
      await sleep(AWAY_MS, undefined, { signal });
    }
  }
}

export function failed(reason: string): ArtifactOutcome {
  const parts = noParts();
  parts.node.failed = 1;
  return { result: { kind: "failed", reason, conflict: false, stopsCluster: false }, digest: null, size: null, parts, bytesSent: 0 };
}
