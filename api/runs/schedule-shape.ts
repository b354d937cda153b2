import { isDeepStrictEqual } from "node:util";
import type {
  ScheduleDescription,
  ScheduleOptionsStartWorkflowAction,
  ScheduleUpdateOptions,
} from "@temporalio/client";
import {
  defineSearchAttributeKey,
  type Priority,
  type SearchAttributePair,
} from "@temporalio/common";
import type { Timing } from "../../domain/firing.ts";
import { cut, runBase } from "../../domain/run-names.ts";
import {
  ATTRIBUTES,
  FORM,
  type Queues,
  runPriority,
  TASK_RUN,
  type TaskRunInput,
} from "../../workflows/contract.ts";

/** The fields of a task that are shown in Temporal's UI. */
type ShownTask = { key: string; name: string; projectId: string; enabled: boolean };
export type ShapeDeps = {
  queues: Queues;
  searchAttributes: () => boolean;
  catchUpWindow: number;
};
/** The SDK forwards a priority, but its type does not name it. */
type Action = ScheduleOptionsStartWorkflowAction<
  (input: TaskRunInput) => Promise<unknown>
> & { priority: Priority };
type Update = ScheduleUpdateOptions<Action>;
type ScheduleShape = Update & {
  state: { paused: boolean; note: string; remainingActions?: number };
};

/** Builds the schedule that a task with this timing should have. */
export function scheduleOf(
  row: ShownTask,
  timing: Timing,
  deps: ShapeDeps,
): ScheduleShape {
  return {
    spec: { calendars: timing.calendars, timezone: timing.zone },
    action: firingAction(row, timing, deps),
    policies: {
      overlap: "SKIP",
      catchupWindow: deps.catchUpWindow,
      pauseOnFailure: false,
    },
    state: {
      paused: !row.enabled,
      note: `${row.name}: ${row.enabled ? "" : "the task is disabled; "}it fires ${timing.text}`.slice(
        0,
        1000,
      ),
      ...(timing.once === null ? {} : { remainingActions: 1 }),
    },
    ...(deps.searchAttributes() ? { typedSearchAttributes: taskAttributes(row) } : {}),
  };
}

/** Builds the run that a firing starts; Temporal appends the due time to its workflow id. */
export function firingAction(
  row: ShownTask,
  timing: Timing,
  { queues, searchAttributes }: ShapeDeps,
): ScheduleShape["action"] {
  const shown = searchAttributes();
  const input: TaskRunInput = {
    taskKey: row.key,
    taskName: row.name,
    projectId: row.projectId,
    recordId: null,
    schedule: timing.text,
    queues,
    searchAttributes: shown,
    form: FORM,
  };
  return {
    type: "startWorkflow",
    workflowType: TASK_RUN,
    workflowId: runBase(row),
    taskQueue: queues.orchestrate,
    args: [input],
    staticSummary: cut(row.name, 100),
    priority: runPriority(row.projectId),
    ...(shown
      ? { typedSearchAttributes: [...taskAttributes(row), statusAttribute("RUNNING")] }
      : {}),
  };
}

export function taskAttributes({
  name,
  projectId,
}: Pick<ShownTask, "name" | "projectId">): SearchAttributePair[] {
  return [
    { key: defineSearchAttributeKey(ATTRIBUTES.task, "KEYWORD"), value: name },
    { key: defineSearchAttributeKey(ATTRIBUTES.project, "KEYWORD"), value: projectId },
  ];
}

export const statusAttribute = (value: string): SearchAttributePair => ({
  key: defineSearchAttributeKey(ATTRIBUTES.status, "KEYWORD"),
  value,
});

/**
 * Whether the schedule in Temporal does what it should. Its note (a text) may differ, because
 * operators may write there.
 */
export function isInLine(found: ScheduleDescription, wanted: ScheduleShape): boolean {
  return isDeepStrictEqual(essence(found), essence(wanted));
}

function essence({ spec, action, policies, state }: ScheduleShape | ScheduleDescription) {
  return {
    calendars: spec.calendars?.map(({ comment: _comment, ...calendar }) => calendar),
    timezone: spec.timezone,
    // Fields that this product never sets; any of them would make the schedule fire at other times.
    others:
      [spec.intervals, spec.skip].some((list) => list && list.length > 0) ||
      Boolean(spec.startAt ?? spec.endAt ?? spec.jitter),
    workflow: [action.workflowType, action.workflowId, action.taskQueue, action.args],
    policies: { ...policies },
    paused: state.paused,
    limited: state.remainingActions !== undefined,
  };
}
