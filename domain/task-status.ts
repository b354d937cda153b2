import type { ExecutionStatus, ReplicaType, TaskStatus } from "./vocabulary.ts";

type Progress = {
  replicaType: ReplicaType;
  enabled: boolean;
  lastExecutionStatus: ExecutionStatus | null;
  nextExecutionTime: number | null;
};

/**
 * Returns the status of a task in the API, from its type, its newest execution, its next start, and whether
 * it is enabled (which counts for REAL_TIME only).
 */
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
