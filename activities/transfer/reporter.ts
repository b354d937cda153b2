import { setTimeout as sleep } from "node:timers/promises";
import { type TransferError, toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, UploadState } from "../../domain/outcome.ts";
import type {
  ArtifactReport,
  BatchArtifact,
  ReportAnswer,
} from "../../domain/worker-messages.ts";
import { elapsed } from "../../domain/elapsed.ts";

const TICK_MS = 250;
/** At least this often (ms) a worker asks the control plane whether its batch may continue. */
const LONGEST_SILENCE_MS = 1_000;
/** How long (ms) a worker still tries to deliver the reports of a batch that must stop. */
const LAST_WORDS_MS = 10_000;

export type Reporter = ReturnType<typeof createReporter>;

type Options = {
  send: (
    reports: ArtifactReport[],
    done?: { interrupted: boolean },
  ) => Promise<ReportAnswer>;
  heartbeat: () => void;
  /**
   * Called at most once: when the control plane answers that the batch must not continue, or refuses its
   * reports.
   */
  onStop: (reason: string) => void;
  /**
   * Called for each answer that the batch's slot is needed for other batches; the artifacts in progress
   * must be interrupted.
   */
  onHandBack: () => void;
  /** Fires when Temporal orders the batch to end. */
  signal: AbortSignal;
};

/**
 * Reports what happens in a batch to the control plane, at least once a second. Reports that could not
 * be delivered are kept and sent again.
 */
export function createReporter({ send, heartbeat, onStop, onHandBack, signal }: Options) {
  const reports = createReports();
  let lastSent = Number.NEGATIVE_INFINITY;
  let sending: Promise<void> | undefined;
  let stopped = false;
  let refused: TransferError | undefined;
  let closed: { rest: number } | undefined;

  const stop = (reason: string) => {
    if (!stopped) onStop(reason);
    stopped = true;
  };

  async function flush(done?: { interrupted: boolean }): Promise<void> {
    const taken = reports.take();
    lastSent = elapsed();
    try {
      const answer = await send(taken, done);
      reports.delivered(taken);
      if (answer.stop !== null) stop(answer.stop);
      else if (answer.handBack) onHandBack();
      if (done) closed = { rest: answer.rest ?? 0 };
    } catch (error) {
      reports.putBack(taken);
      const failure = toTransferError(error);
      if (!failure.retryable) stop((refused = failure).message);
    }
  }

  const tick = () => {
    heartbeat();
    const due = reports.isPending() || elapsed() - lastSent >= LONGEST_SILENCE_MS;
    if (due && !sending) sending = flush().finally(() => (sending = undefined));
  };
  const timer = setInterval(tick, TICK_MS);

  return {
    begin: reports.begin,
    moved: reports.moved,
    uploaded: reports.uploaded,
    putOff: reports.putOff,
    end: reports.end,
    /**
     * Delivers the reports and the batch's end (`done` null: no end). Returns how many artifacts have no outcome, 0 if
     * unknown. Waits for the control plane, at most LAST_WORDS_MS if the batch must stop; throws if it refuses reports.
     */
    async close(done: { interrupted: boolean } | null): Promise<number> {
      clearInterval(timer);
      let deadline = Number.POSITIVE_INFINITY;
      await beating(heartbeat, async () => {
        await sending;
        for (;;) {
          // Temporal may give a batch that it ordered to end to another worker: then its end is not reported.
          const last = signal.aborted ? null : done;
          const isTold = () =>
            refused !== undefined ||
            closed !== undefined ||
            (last === null && !reports.isPending());
          if (signal.aborted || stopped)
            deadline = Math.min(deadline, elapsed() + LAST_WORDS_MS);
          if (isTold() || elapsed() > deadline) return;
          await flush(last ?? undefined);
          if (!isTold()) await sleep(1_000);
        }
      });
      if (refused) throw refused;
      return closed?.rest ?? 0;
    },
  };
}

/** Holds the newest report of each artifact, and which of them the control plane does not have yet. */
function createReports() {
  const current = new Map<number, ArtifactReport>();
  const dirty = new Set<number>();
  const opened = Date.now();

  const put = (report: ArtifactReport): ArtifactReport => {
    current.set(report.seq, report);
    dirty.add(report.seq);
    return report;
  };

  const change = (seq: number, values: Partial<ArtifactReport>) => {
    const report = current.get(seq);
    if (report && !report.outcome) put({ ...report, ...values });
  };

  return {
    begin: (artifact: BatchArtifact): void => void put(toReport(artifact, Date.now())),
    moved(seq: number, bytes: number): void {
      change(seq, { bytesSent: (current.get(seq)?.bytesSent ?? 0) + bytes });
    },
    uploaded(seq: number, state: UploadState): void {
      const others =
        current.get(seq)?.uploads.filter((upload) => upload.digest !== state.digest) ??
        [];
      change(seq, { uploads: [...others, state] });
    },
    /**
     * Records that the batch postpones an artifact without an outcome, because of a large blob that
     * must be sent in one request.
     */
    putOff: ({ seq }: BatchArtifact): void => change(seq, { whole: true }),
    /**
     * Records the outcome and returns when the artifact began (epoch ms); for an artifact that was not
     * reported to begin, when the batch began.
     */
    end(artifact: BatchArtifact, outcome: ArtifactOutcome): number {
      const { bytesSent, startTime } =
        current.get(artifact.seq) ?? put(toReport(artifact, opened));
      change(artifact.seq, {
        outcome,
        bytesSent: Math.max(bytesSent, outcome.bytesSent),
      });
      return startTime;
    },
    isPending: () => dirty.size > 0,
    /** Returns the reports that are to be sent, and counts them as sent. */
    take(): ArtifactReport[] {
      const taken = [...dirty].flatMap((seq) => current.get(seq) ?? []);
      dirty.clear();
      return taken;
    },
    /** Forgets the artifacts whose outcome the control plane now has. */
    delivered(taken: readonly ArtifactReport[]): void {
      for (const report of taken) if (report.outcome) current.delete(report.seq);
    },
    /** Marks undelivered reports as pending again, so that the next delivery includes them. */
    putBack(taken: readonly ArtifactReport[]): void {
      for (const { seq } of taken) dirty.add(seq);
    },
  };
}

function toReport(
  { seq, name, version, size, plannedSize, uploads }: BatchArtifact,
  startTime: number,
): ArtifactReport {
  return {
    seq,
    name,
    version,
    sizePlanned: plannedSize !== null,
    size: size ?? plannedSize,
    startTime,
    bytesSent: 0,
    uploads,
    outcome: null,
  };
}

/** Runs `work` and sends heartbeats meanwhile, because the control plane may answer late. */
async function beating(heartbeat: () => void, work: () => Promise<void>): Promise<void> {
  const beats = setInterval(heartbeat, LONGEST_SILENCE_MS);
  try {
    await work();
  } finally {
    clearInterval(beats);
  }
}
