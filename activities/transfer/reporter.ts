import { setTimeout as sleep } from "node:timers/promises";
import { type TransferError, toTransferError } from "../../domain/failure.ts";
import type { ArtifactOutcome, UploadState } from "../../domain/outcome.ts";
import type { ArtifactReport, BatchArtifact, ReportAnswer } from "../../domain/worker-messages.ts";

const TICK_MS = 250;
/** The control plane is asked at least this often whether the batch may go on. */
const LONGEST_SILENCE_MS = 1_000;
/** How long a batch that was told to end still tries to hand in what it knows. */
const LAST_WORDS_MS = 10_000;

export type Reporter = ReturnType<typeof createReporter>;

type Options = {
  send: (reports: ArtifactReport[], done?: { interrupted: boolean }) => Promise<ReportAnswer>;
  heartbeat: () => void;
  /** Called once, when the control plane says that the batch must not go on. */
  onStop: (reason: string) => void;
  /** Called when the slot is wanted for others; what is under way is to be broken off. */
  onHandBack: () => void;
  /** The batch was told to end by Temporal. */
  signal: AbortSignal;
};

/** Hands in what happens in a batch, at least once a second, and keeps what could not be handed in until it could. */
export function createReporter({ send, heartbeat, onStop, onHandBack, signal }: Options) {
  const current = new Map<number, ArtifactReport>();
  const dirty = new Set<number>();
  const opened = Date.now();
  let lastSent = 0;
  let sending: Promise<void> | undefined;
  let stopped = false;
  let refused: TransferError | undefined;
  let closed: { rest: number } | undefined;

  const stop = (reason: string) => {
    if (!stopped) onStop(reason);
    stopped = true;
  };

  const put = (report: ArtifactReport): ArtifactReport => {
    current.set(report.seq, report);
    dirty.add(report.seq);
    return report;
  };

  const change = (seq: number, values: Partial<ArtifactReport>) => {
    const report = current.get(seq);
    if (report && !report.outcome) put({ ...report, ...values });
  };

  async function flush(done?: { interrupted: boolean }): Promise<void> {
    const seqs = [...dirty];
    dirty.clear();
    lastSent = Date.now();
    const reports = seqs.flatMap((seq) => current.get(seq) ?? []);
    try {
      const answer = await send(reports, done);
      for (const report of reports) if (report.outcome) current.delete(report.seq);
      if (answer.stop !== null) stop(answer.stop);
      else if (answer.handBack) onHandBack();
      if (done) closed = { rest: answer.rest ?? 0 };
    } catch (error) {
      for (const seq of seqs) dirty.add(seq);
      const failure = toTransferError(error);
      if (!failure.retryable) stop((refused = failure).message);
    }
  }

  const tick = () => {
    heartbeat();
    const due = dirty.size > 0 || Date.now() - lastSent >= LONGEST_SILENCE_MS;
    if (due && !sending) sending = flush().finally(() => (sending = undefined));
  };
  const timer = setInterval(tick, TICK_MS);

  return {
    begin: (artifact: BatchArtifact): void => void put(toReport(artifact, Date.now())),
    moved(seq: number, bytes: number): void {
      change(seq, { bytesSent: (current.get(seq)?.bytesSent ?? 0) + bytes });
    },
    uploaded(seq: number, state: UploadState): void {
      const others = current.get(seq)?.uploads.filter((upload) => upload.digest !== state.digest) ?? [];
      change(seq, { uploads: [...others, state] });
    },
    /** Its batch had to let go of it, without an outcome, for it has a large blob that goes in one request. */
    putOff: ({ seq }: BatchArtifact): void => change(seq, { whole: true }),
    /** Answers when it began (epoch ms). */
    end(artifact: BatchArtifact, outcome: ArtifactOutcome): number {
      const { bytesSent, startTime } = current.get(artifact.seq) ?? put(toReport(artifact, opened));
      change(artifact.seq, { outcome, bytesSent: Math.max(bytesSent, outcome.bytesSent) });
      return startTime;
    },
    /**
     * Hands in everything that is known, and the batch itself unless `done` is null (it broke); answers how many of its
     * artifacts have no outcome. While the control plane is away that takes as long as it takes. Throws when it refuses
     * what it is told.
     */
    async close(done: { interrupted: boolean } | null): Promise<number> {
      clearInterval(timer);
      let deadline = Number.POSITIVE_INFINITY;
      await beating(heartbeat, async () => {
        await sending;
        for (;;) {
          // What Temporal has told to end may be given to another: it is not handed in.
          const last = signal.aborted ? null : done;
          const isTold = () => refused !== undefined || closed !== undefined || (last === null && dirty.size === 0);
          if (signal.aborted || stopped) deadline = Math.min(deadline, Date.now() + LAST_WORDS_MS);
          if (isTold() || Date.now() > deadline) return;
          await flush(last ?? undefined);
          if (!isTold()) await sleep(1_000);
        }
      });
      if (refused) throw refused;
      return closed?.rest ?? 0;
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

/** A control plane that hangs answers late; the batch is alive meanwhile. */
async function beating(heartbeat: () => void, work: () => Promise<void>): Promise<void> {
  const beats = setInterval(heartbeat, LONGEST_SILENCE_MS);
  try {
    await work();
  } finally {
    clearInterval(beats);
  }
}
