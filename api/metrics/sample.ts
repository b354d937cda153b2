import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type Followed, readBehind, readFollowed } from "../../db/watch/lag.ts";
import {
  readAgain,
  readLastOutcome,
  readPlanned,
  readRunClusters,
  readRunning,
} from "../../db/watch/running.ts";
import { readTiming, readWatchedTasks, type WatchedTask } from "../../db/watch/totals.ts";
import { turn } from "../../db/turns.ts";
import type { Store } from "../../activities/store/store.ts";
import type { Disk } from "../../domain/disk.ts";
import { type Timing, timingOf } from "../../domain/firing.ts";
import type { ApiDeps } from "../deps.ts";
import { isFresh } from "../../domain/elapsed.ts";

export type SampleDeps = Pick<
  ApiDeps,
  "db" | "zone" | "now" | "processes" | "hasTransferWorker"
> & {
  dataDir: string;
  store: Pick<Store, "disk" | "refusals">;
};

type SampledRun = {
  clusters: string[];
  planned: number;
  steps: number;
  again: Map<string, { count: number; reason: string | null }>;
  lastOutcome: number;
};
type Behind = Pick<Followed, "taskKey" | "clusterId"> & {
  oldest: number | null;
  held: number;
};

/** Facts that are too expensive to look up at each scrape. */
export type Sample = {
  at: number;
  /** The RUNNING records, by record id. */
  runs: Map<string, SampledRun>;
  behind: Behind[];
  /**
   * By task key: the first firing after the last start or change of the task, past or future (epoch
   * ms).
   */
  due: Map<string, number>;
  hasWorker: boolean;
  disk: Disk;
  databases: Record<string, number>;
};

const FRESH_MS = 15_000;
/** Number of rows to look up before other work gets its turn. */
const PAGE = 20;

/**
 * Returns a function that samples again if the last sample is older than 15 s; concurrent callers
 * share one sample.
 */
export function createSampler(deps: SampleDeps) {
  const due = createDue(deps);
  let last: Sample | null = null;
  let looking: Promise<Sample> | null = null;

  async function look(): Promise<Sample> {
    const { db, now, dataDir } = deps;
    const at = now();
    const known = last?.runs;
    const runs = new Map<string, SampledRun>();
    await inTurns(readRunning(db), ({ id }) => {
      const clusters = known?.get(id)?.clusters ?? readRunClusters(db, id);
      const again = new Map(
        clusters.map((cluster) => [cluster, readAgain(db, id, cluster)]),
      );
      runs.set(id, {
        ...readPlanned(db, id),
        clusters,
        again,
        lastOutcome: known?.get(id)?.lastOutcome ?? readLastOutcome(db, id),
      });
    });
    const behind: Behind[] = [];
    await inTurns(readFollowed(db), (each) => {
      behind.push({
        taskKey: each.taskKey,
        clusterId: each.clusterId,
        ...readBehind(db, each),
      });
    });
    return {
      at,
      runs,
      behind,
      due: await due(),
      hasWorker: await hasWorker(deps),
      disk: await deps.store.disk(),
      databases: {
        replication: await sizeOf(dataDir, "replication.db"),
        blobs: await sizeOf(dataDir, "blobs.db"),
      },
    };
  }

  return async (): Promise<Sample> => {
    if (last !== null && isFresh(last.at, FRESH_MS, deps.now())) return last;
    looking ??= look().finally(() => (looking = null));
    last = await looking;
    return last;
  };
}

/**
 * Whether there is a transfer worker, by the rule of the readiness check: one of the supervisor's,
 * or one that lately polled for work.
 */
async function hasWorker({ processes, hasTransferWorker }: SampleDeps): Promise<boolean> {
  const { temporal, workers } = processes();
  return workers > 0 || (temporal && (await hasTransferWorker()));
}

/**
 * Returns the size (bytes) of a database file together with its write-ahead log; a missing file
 * counts as 0.
 */
async function sizeOf(dataDir: string, name: string): Promise<number> {
  const sizes = ["", "-wal"].map((end) =>
    stat(join(dataDir, name + end)).then(
      ({ size }) => size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((all, size) => all + size, 0);
}

async function inTurns<T>(items: readonly T[], work: (item: T) => void): Promise<void> {
  for (const [at, item] of items.entries()) {
    if (at % PAGE === PAGE - 1) await turn();
    work(item);
  }
}

/**
 * Returns a function that finds, for each enabled scheduled task, the first firing after its last
 * start or change. A schedule is read again only after its task was modified.
 */
function createDue({ db, zone }: SampleDeps) {
  let known = new Map<
    string,
    { changed: number; since: number; timing: Timing | null; due: number | null }
  >();

  function look(task: WatchedTask) {
    const since = Math.max(
      task.settledTime ?? 0,
      task.lastModifiedDate,
      task.lastExecutionTime ?? 0,
    );
    const before = known.get(task.key);
    if (before?.changed === task.lastModifiedDate && before.since === since)
      return before;
    const timing =
      before?.changed === task.lastModifiedDate ? before.timing : timingOrNone(task.key);
    return {
      changed: task.lastModifiedDate,
      since,
      timing,
      due: timing?.next(since) ?? null,
    };
  }

  function timingOrNone(taskKey: string): Timing | null {
    const row = readTiming(db, taskKey);
    try {
      return row && timingOf(row, zone);
    } catch {
      // A schedule that has become invalid, for example because its time zone was abolished, must
      // not affect other tasks.
      return null;
    }
  }

  return async (): Promise<Map<string, number>> => {
    const next: typeof known = new Map();
    await inTurns(
      readWatchedTasks(db),
      (task) =>
        void (
          task.enabled &&
          task.replicaType === "SCHEDULED" &&
          next.set(task.key, look(task))
        ),
    );
    known = next;
    return new Map(
      [...next].flatMap(([key, { due }]) => (due === null ? [] : [[key, due] as const])),
    );
  };
}
