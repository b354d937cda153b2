import type { Lane } from "../domain/lanes.ts";
import { runBase } from "../domain/run-names.ts";

/** Queue names contain the instance's id, so that instances may share one Temporal (docs/decisions.md#processes). */
export const queues = (instanceId: string) => ({
  control: `control-${instanceId}`,
  orchestrate: `orchestrate-${instanceId}`,
  transfer: `transfer-${instanceId}`,
});
export type Queues = ReturnType<typeof queues>;

/**
 * Returns the queue of a lane: each kind of slot of a transfer worker has its own. Releases without lanes
 * used the queue of the plain name; work in it is still taken.
 */
export const laneQueue = (transfer: string, lane: Lane) =>
  `${transfer}-${lane.toLowerCase()}`;

/** Workflow types, as shown in Temporal's UI. */
export const TASK_RUN = "taskRun";
export const REAL_TIME_RUN = "realTimeRun";

/**
 * Signals without content. WAKE to a realTimeRun: look for something to send, as after an upload. MORE to a
 * targetRun: there may be more to cut.
 */
export const WAKE = "wake";
export const MORE = "more";

export const runWorkflowId = ({
  taskName,
  taskKey,
  recordId,
}: {
  taskName: string;
  taskKey: string;
  recordId: string;
}) => `${runBase({ name: taskName, key: taskKey })}/${recordId}`;
export const realTimeWorkflowId = (taskKey: string, clusterId: string) =>
  `repl-rt/${taskKey}/${clusterId}`;
const SCHEDULES = "repl:";
export const scheduleId = (taskKey: string) => `${SCHEDULES}${taskKey}`;
/** Returns the key of the task that a schedule belongs to; null when the schedule is not one of a task. */
export const scheduledTask = (id: string) =>
  id.startsWith(SCHEDULES) ? id.slice(SCHEDULES.length) : null;
/**
 * Returns the workflow id of a child of a run. `id`: the names that distinguish the child from the other
 * children. Children of runs that began before such names existed are named by cluster id and object index.
 */
export function targetWorkflowId(
  runId: string,
  {
    id,
    clusterId,
    object: objectIndex,
  }: { id?: string; clusterId: string; object: number | null },
): string {
  if (id !== undefined) return `${runId}/${id}`;
  return objectIndex === null
    ? `${runId}/${clusterId}`
    : `${runId}/${clusterId}/${objectIndex}`;
}

/** Returns the key by which projects take turns in a queue. The server accepts at most 64 bytes. */
export const fairness = (projectId: string) => ({
  fairnessKey: encodeURIComponent(projectId).slice(0, 64),
});

/**
 * The order in which waiting workflows and batches get the shared workers: uploads first; then short work, which is the
 * beginning of each run and runs of a few artifacts; then everything else (Temporal's own default).
 */
export const PRIORITY = { realTime: 1, soon: 2, other: 3 } as const;

/** Returns the priority of a run when it begins; its children have their own. */
export const runPriority = (projectId: string) => ({
  priorityKey: PRIORITY.soon,
  ...fairness(projectId),
});

/** Names of the search attributes, all of type Keyword. */
export const ATTRIBUTES = {
  task: "ReplTask",
  project: "ReplProject",
  cluster: "ReplCluster",
  status: "ReplStatus",
} as const;

/**
 * Version of the workflow code's behaviour, stored in the input of each run. A run with a smaller
 * version, or without one, began with older code and keeps its behaviour. New code asks
 * `(input.form ?? 0) >= n`; only changes from before form 2 are found by `patched` (workflows/form.ts).
 */
export const FORM = 2;

/**
 * `recordId` null: a schedule started the run, and the run creates its record from its own workflow id;
 * `schedule` is then the schedule as text.
 */
export type TaskRunInput = {
  taskKey: string;
  taskName: string;
  projectId: string;
  recordId: string | null;
  schedule: string | null;
  queues: Queues;
  searchAttributes: boolean;
  form?: number;
  /**
   * Progress of a run that continued as new: the last cluster to which it has sent, and why one of its
   * children broke, if one did.
   */
  sent?: { to: string; broken: string | null };
};

/** Input of a realTimeRun: one task at one cluster. */
export type RealTimeRunInput = Omit<TaskRunInput, "recordId" | "schedule" | "sent"> & {
  clusterId: string;
};

export type TargetRunInput = {
  recordId: string;
  clusterId: string;
  /** Describes the run in Temporal's UI. */
  label: string;
  queues: Queues;
  form?: number;
  /** All artifacts are light for the cluster (domain/weight.ts), so more batches may be in flight. */
  files?: true;
  /** The object indexes from `object` (included) to `objectsEnd` (excluded). */
  object: number;
  objectsEnd: number;
  /** Number of the next cut; a run that continues as new goes on counting. */
  cut: number;
  counts: { batches: number; done: number; failed: number };
};
