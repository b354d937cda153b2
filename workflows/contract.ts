import type { Lane } from "../domain/lanes.ts";
import { runBase } from "../domain/run-names.ts";

/** Queue names carry the instance's id, so that instances may share one Temporal (docs/decisions.md#processes). */
export const queues = (instanceId: string) => ({
  control: `control-${instanceId}`,
  orchestrate: `orchestrate-${instanceId}`,
  transfer: `transfer-${instanceId}`,
});
export type Queues = ReturnType<typeof queues>;

/**
 * Each kind of slots of a transfer worker has a queue of its own. The plain name is that of releases without kinds:
 * what they had queued is still taken.
 */
export const laneQueue = (transfer: string, lane: Lane) => `${transfer}-${lane.toLowerCase()}`;

/** Workflow types, as Temporal's UI shows them. */
export const TASK_RUN = "taskRun";
export const TARGET_RUN = "targetRun";
export const REAL_TIME_RUN = "realTimeRun";

/** Signals without content. To a realTimeRun: something happened. To a targetRun: there is more to cut. */
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
export const realTimeWorkflowId = (taskKey: string, clusterId: string) => `repl-rt/${taskKey}/${clusterId}`;
const SCHEDULES = "repl:";
export const scheduleId = (taskKey: string) => `${SCHEDULES}${taskKey}`;
/** The key of the task that a schedule belongs to; null when it is none of ours. */
export const scheduledTask = (id: string) => (id.startsWith(SCHEDULES) ? id.slice(SCHEDULES.length) : null);
/**
 * `id`: what tells a child from the others of its run, in names; runs that began before there were names keep their
 * numbers.
 */
export function targetWorkflowId(
  runId: string,
  { id, clusterId, object }: { id?: string; clusterId: string; object: number | null },
): string {
  if (id !== undefined) return `${runId}/${id}`;
  return object === null ? `${runId}/${clusterId}` : `${runId}/${clusterId}/${object}`;
}

/** What waits in a queue is taken in turns by project; of a key the server takes 64 bytes. */
export const fairness = (projectId: string) => ({ fairnessKey: encodeURIComponent(projectId).slice(0, 64) });

/**
 * What goes first where workflows and batches wait for the same workers: what is uploaded; then what is soon done, the
 * beginning of each run and runs of a few artifacts; then all else (what Temporal does by itself).
 */
export const PRIORITY = { realTime: 1, soon: 2, other: 3 } as const;

/** Of a run when it begins; its children have another. */
export const runPriority = (projectId: string) => ({ priorityKey: PRIORITY.soon, ...fairness(projectId) });

/** Search attributes, all Keyword. */
export const ATTRIBUTES = {
  task: "ReplTask",
  project: "ReplProject",
  cluster: "ReplCluster",
  status: "ReplStatus",
} as const;

/**
 * The form in which today's code begins a run: it says so in the input. A run that does not began in an earlier form,
 * and goes on as it began; where that matters `patched` finds it out, which costs a marker and an update of search
 * attributes each time.
 */
export const FORM = 2;

/**
 * `recordId` null: a firing of a schedule; the run makes its record from its own workflow id. `schedule` is then the
 * timing in words.
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
   * Where a run that goes on as new was: the last cluster that it has sent to, and why a child of it broke, if one did.
   */
  sent?: { to: string; broken: string | null };
};

/** One task at one cluster. */
export type RealTimeRunInput = Omit<TaskRunInput, "recordId" | "schedule" | "sent"> & { clusterId: string };

export type TargetRunInput = {
  recordId: string;
  clusterId: string;
  /** What the run says of itself in Temporal's UI. */
  label: string;
  queues: Queues;
  form?: number;
  /** The object is of files or of packages made of them, no images. */
  files?: true;
  /** The objects from `object` up to, without, `objectsEnd`. */
  object: number;
  objectsEnd: number;
  /** Grows with each cut; a run that goes on as new goes on counting. */
  cut: number;
  counts: { batches: number; done: number; failed: number };
};
