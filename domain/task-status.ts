import type { ExecutionStatus, ReplicaType, TaskStatus } from "./vocabulary.ts";

type Progress = {
  replicaType: ReplicaType;
  enabled: boolean;
  lastExecutionStatus: ExecutionStatus | null;
  nextExecutionTime: number | null;
};

/** The task's status in the API; it depends only on the task's executions. */
export function taskStatus({
  replicaType,
  enabled,
  lastExecutionStatus,
  nextExecutionTime,
}: Progress): TaskStatus {
  if (lastExecutionStatus === "RUNNING") return "REPLICATING";
  if (replicaType === "REAL_TIME") return enabled ? "REPLICATING" : "WAITING";
  if (nextExecutionTime !== null) return "WAITING";
  return lastExecutionStatus === null ? "WAITING" : "COMPLETED";
}
