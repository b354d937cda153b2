import { formatTime } from "./time.ts";

/**
 * The reason why a workflow does not go on: its own code, in which its workflow task fails, or an activity that is
 * retried again and again.
 */
export type Trouble = {
  workflowId: string;
  /** Type of the activity that fails; null: the workflow's code fails. */
  activity: string | null;
  attempt: number;
  /** Time of the first failure (epoch ms); null if Temporal does not know it. */
  since: number | null;
  /** Message of the last failure; null if Temporal does not know it. */
  reason: string | null;
};

/** Attempts of a workflow task that need no attention: a killed orchestrator costs at most one or two. */
const USUAL_TASK_ATTEMPTS = 3;
/** Attempts of an activity that need no attention: workers die, and the control plane is away at times. */
const USUAL_ACTIVITY_ATTEMPTS = 5;
const MOST_REASON = 400;

export const isTaskTrouble = (attempt: number) => attempt > USUAL_TASK_ATTEMPTS;
export const isActivityTrouble = (attempt: number) => attempt > USUAL_ACTIVITY_ATTEMPTS;

/**
 * Builds the `problem` of a record: what is wrong, since when (`seen`: when it was first noticed), and what to do; null
 * without trouble.
 */
export function troubleText(
  troubles: readonly Trouble[],
  seen: number,
  zone: string,
): string | null {
  const [first, ...others] = troubles.toSorted(
    (a, b) =>
      Number(a.activity !== null) - Number(b.activity !== null) || b.attempt - a.attempt,
  );
  if (!first) return null;
  const more = others.length > 0 ? ` ${others.length} more of its steps fail, too.` : "";
  const since = formatTime(first.since ?? seen, zone);
  return `${first.activity === null ? taskText(first, since) : activityText(first, first.activity, since)}${more}`;
}

const because = (reason: string | null) =>
  reason === null ? "" : `: ${reason.slice(0, MOST_REASON)}`;

function taskText({ workflowId, attempt, reason }: Trouble, since: string): string {
  return (
    `Workflow ${workflowId} cannot go on since ${since}; its code has failed ${attempt} times in the same place` +
    `${because(reason)}. Install a release that does not fail there; or stop the task, which ends the run, and ` +
    "execute it again: finished artifacts are not sent again."
  );
}

function activityText(
  { workflowId, attempt, reason }: Trouble,
  activity: string,
  since: string,
): string {
  return (
    `${activity} of workflow ${workflowId} has failed since ${since}${because(reason)}. ` +
    `Attempt ${attempt} is under way; it is retried until it succeeds: remove the cause, or stop the ` +
    "task and execute it again: finished artifacts are not sent again."
  );
}
