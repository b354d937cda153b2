import { defineSearchAttributeKey, type Priority, type SearchAttributePair } from "@temporalio/common";
import type { TargetPage } from "../activities/control/runs.ts";
import { ATTRIBUTES, fairness, FORM, type TargetRunInput, type TaskRunInput, targetWorkflowId } from "./contract.ts";

const task = defineSearchAttributeKey(ATTRIBUTES.task, "KEYWORD");
const project = defineSearchAttributeKey(ATTRIBUTES.project, "KEYWORD");
const cluster = defineSearchAttributeKey(ATTRIBUTES.cluster, "KEYWORD");

export type Target = TargetPage["targets"][number];
/**
 * `objects`: how many the run has; `cut`: the first that the child asks for; `priorityKey`: where it is not that of the
 * run itself.
 */
type Run = { runId: string; recordId: string; objects: number; cut: number; priorityKey?: number };

/** How the child is started that sends to a target. */
export function targetOptions(
  {
    taskName,
    projectId,
    queues,
    searchAttributes,
  }: Pick<TaskRunInput, "taskName" | "projectId" | "queues" | "searchAttributes">,
  { runId, recordId, objects, cut, priorityKey }: Run,
  { object, clusterId, label, files, id, cluster: clusterName }: Target,
): {
  workflowId: string;
  staticSummary: string;
  priority: Priority;
  memo: Record<string, string>;
  typedSearchAttributes?: SearchAttributePair[];
  args: [TargetRunInput];
} {
  const attributes = [
    { key: task, value: taskName },
    { key: project, value: projectId },
    { key: cluster, value: clusterName ?? clusterId },
  ];
  return {
    workflowId: targetWorkflowId(runId, { object, clusterId, ...(id === undefined ? {} : { id }) }),
    staticSummary: label,
    priority: { ...fairness(projectId), ...(priorityKey === undefined ? {} : { priorityKey }) },
    // Stays where a run goes on as new, which loses the summary.
    memo: { task: taskName, sends: label },
    ...(searchAttributes ? { typedSearchAttributes: attributes } : {}),
    args: [
      {
        recordId,
        clusterId,
        label,
        queues,
        form: FORM,
        ...(files ? { files } : {}),
        object: object ?? 0,
        objectsEnd: object === null ? objects : object + 1,
        cut,
        counts: { batches: 0, done: 0, failed: 0 },
      },
    ],
  };
}
