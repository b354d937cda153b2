import { damagedFiles } from "../../db/content/damage.ts";
import { quotaRefusals } from "../../db/content/quotas.ts";
import type { UploadRefusal } from "../../domain/vocabulary.ts";
import {
  readRunning,
  readRunningTallies,
  type RunningRecord,
  type RunningTally,
} from "../../db/watch/running.ts";
import {
  type ArtifactTotal,
  readArtifactTotals,
  readConflictsLeft,
  readRunTotals,
  readWatchedClusters,
  readWatchedTasks,
  type RunTotal,
  type WatchedCluster,
  type WatchedTask,
} from "../../db/watch/totals.ts";
import type { Processes } from "../deps.ts";
import { createSampler, type Sample, type SampleDeps } from "./sample.ts";
import type { Signals, Sources } from "./signals.ts";
import { isFresh } from "../../domain/elapsed.ts";

/** All facts from which metrics and problems are computed, at one moment. */
export type Survey = {
  now: number;
  tasks: Map<string, WatchedTask>;
  clusters: Map<string, WatchedCluster>;
  /** `progress`: when the run last had an outcome, moved a byte or planned something (epoch ms). */
  running: (RunningRecord & { progress: number })[];
  tallies: RunningTally[];
  runTotals: RunTotal[];
  artifactTotals: ArtifactTotal[];
  conflictsLeft: ReturnType<typeof readConflictsLeft>;
  damaged: ReturnType<typeof damagedFiles>;
  processes: Processes;
  sample: Sample;
  signals: ReturnType<Signals["look"]>;
  /** Ids of the clusters that are known to be slow. */
  slow: ReadonlySet<string>;
  unbegun: ReturnType<Sources["unbegun"]>;
  workers: ReturnType<Sources["workers"]>;
  /** The certificate of the API; null without TLS. */
  certificate: ReturnType<Sources["certificate"]>;
  /** Number of uploads that this process has refused for lack of room. */
  refusedUploads: Record<UploadRefusal, number>;
  /** Why the administrator's password is easy to guess; null: it is not. */
  passwordWeakness: string | null;
};

type SurveyDeps = SampleDeps & { signals: Signals; sources: Sources };

/**
 * Returns a function that surveys the instance: facts are at most 1 s old, expensive ones (the
 * sample) at most 15 s.
 */
export function createSurvey(deps: SurveyDeps) {
  const { db, store, now, processes, signals, sources } = deps;
  const sampler = createSampler(deps);
  const progressOf = createProgress();
  let last: Survey | null = null;

  return async (): Promise<Survey> => {
    const sample = await sampler();
    if (last !== null && isFresh(last.now, 1_000, now())) return last;
    const tallies = readRunningTallies(db);
    last = {
      now: now(),
      tasks: new Map(readWatchedTasks(db).map((task) => [task.key, task])),
      clusters: new Map(readWatchedClusters(db).map((cluster) => [cluster.id, cluster])),
      running: progressOf(readRunning(db), tallies, sample, now()),
      tallies,
      runTotals: readRunTotals(db),
      artifactTotals: readArtifactTotals(db),
      conflictsLeft: readConflictsLeft(db),
      damaged: damagedFiles(db),
      processes: processes(),
      sample,
      signals: signals.look(),
      slow: new Set(sources.slow()),
      unbegun: sources.unbegun(),
      workers: sources.workers(),
      certificate: sources.certificate(),
      refusedUploads: { ...store.refusals(), quota: quotaRefusals(db) },
      passwordWeakness: sources.passwordWeakness(),
    };
    return last;
  };
}

/**
 * Creates a function that finds when each run last made progress: when its sums last changed, or for a run
 * not seen before, when its newest details began or ended, or the run itself began.
 */
function createProgress() {
  let known = new Map<string, { sum: number; at: number }>();
  return (
    running: readonly RunningRecord[],
    tallies: readonly RunningTally[],
    { runs }: Sample,
    now: number,
  ): Survey["running"] => {
    const sums = new Map<string, number>();
    for (const { recordId, success, failed, bytesSent, bytesRead } of tallies) {
      sums.set(
        recordId,
        (sums.get(recordId) ?? 0) + success + failed + bytesSent + bytesRead,
      );
    }
    const next: typeof known = new Map();
    for (const { id, startTime } of running) {
      const sampled = runs.get(id);
      const sum = (sums.get(id) ?? 0) + (sampled?.steps ?? 0);
      const before = known.get(id);
      const first = Math.max(startTime, sampled?.lastOutcome ?? 0);
      next.set(
        id,
        before === undefined
          ? { sum, at: first }
          : before.sum === sum
            ? before
            : { sum, at: now },
      );
    }
    known = next;
    return running.map((row) => ({
      ...row,
      progress: known.get(row.id)?.at ?? row.startTime,
    }));
  };
}
