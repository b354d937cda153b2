import {
  defineSearchAttributeKey,
  type Priority,
  type SearchAttributePair,
} from "@temporalio/common";
import type { TargetPage } from "../activities/control/runs.ts";
import {
  ATTRIBUTES,
  fairness,
  FORM,
  type TargetRunInput,
  type TaskRunInput,
  targetWorkflowId,
} from "./contract.ts";

const task = defineSearchAttributeKey(ATTRIBUTES.task, "KEYWORD");
const project = defineSearchAttributeKey(ATTRIBUTES.project, "KEYWORD");
const cluster = defineSearchAttributeKey(ATTRIBUTES.cluster, "KEYWORD");

export type Target = TargetPage["targets"][number];
/**
 * `objects`: the number of objects of the run; `cut`: the first cut that the child requests; `priorityKey`:
 * absent if it equals that of the run.
 */
type Run = {
  runId: string;
  recordId: string;
  objects: number;
  cut: number;
  priorityKey?: number;
};

/** Builds the start options of the child workflow that sends to a target. */
export function targetOptions(
  {
    taskName,
    projectId,
    queues,
    searchAttributes,
  }: Pick<TaskRunInput, "taskName" | "projectId" | "queues" | "searchAttributes">,
  { runId, recordId, objects, cut, priorityKey }: Run,
  { object: objectIndex, clusterId, label, files, id, cluster: clusterName }: Target,
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
    workflowId: targetWorkflowId(runId, {
      object: objectIndex,
      clusterId,
      ...(id === undefined ? {} : { id }),
    }),
    staticSummary: label,
    priority: {
      ...fairness(projectId),
      ...(priorityKey === undefined ? {} : { priorityKey }),
    },
    // The memo stays when a run continues as new; the summary does not.
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
        object: objectIndex ?? 0,
        objectsEnd: objectIndex === null ? objects : objectIndex + 1,
        cut,
        counts: { batches: 0, done: 0, failed: 0 },
      },
    ],
  };
}
