/** Queue names carry the instance's id, so that instances may share one Temporal (design.md §4). */
export const queues = (instanceId: string) => ({
  control: `control-${instanceId}`,
  orchestrate: `orchestrate-${instanceId}`,
  transfer: `transfer-${instanceId}`,
});
export type Queues = ReturnType<typeof queues>;

/** Workflow types, as the UI shows them. */
export const TASK_RUN = "taskRun";
export const TARGET_RUN = "targetRun";

export const runWorkflowId = (taskKey: string, recordId: string) => `repl/${taskKey}/${recordId}`;
export const scheduleId = (taskKey: string) => `repl:${taskKey}`;
export const targetWorkflowId = (runId: string, object: number | null, clusterId: string) =>
  object === null ? `${runId}/${clusterId}` : `${runId}/${clusterId}/${object}`;

/** Search attributes, all Keyword. */
export const ATTRIBUTES = {
  task: "ReplTask",
  project: "ReplProject",
  cluster: "ReplCluster",
  status: "ReplStatus",
} as const;

/** `recordId` null: a firing of a schedule; the run makes its record from its own workflow id. */
export type TaskRunInput = {
  taskKey: string;
  recordId: string | null;
  queues: Queues;
  searchAttributes: boolean;
};

export type TargetRunInput = {
  recordId: string;
  /** null: all objects, one after the other. */
  object: number | null;
  clusterId: string;
  label: string;
  queues: Queues;
  searchAttributes: boolean;
  /** Grows with each cut; a run that goes on as new goes on counting. */
  cut: number;
};

