import { formatTime } from "./time.ts";

/**
 * What keeps a workflow from going on: its own code, which its workflow task fails in, or an activity that is tried
 * again and again.
 */
export type Trouble = {
  workflowId: string;
  /** The activity's type; null: the workflow's code. */
  activity: string | null;
  attempt: number;
  /** When it failed first, as far as Temporal knows. */
  since: number | null;
  /** What failed last, as far as Temporal knows. */
  reason: string | null;
};

/** A killed orchestrator costs a workflow task one or two attempts, and no more. */
const USUAL_TASK_ATTEMPTS = 3;
/** Workers die, and the control plane is away at times: so many attempts of an activity need no attention. */
const USUAL_ACTIVITY_ATTEMPTS = 5;
const MOST_REASON = 400;

export const isTaskTrouble = (attempt: number) => attempt > USUAL_TASK_ATTEMPTS;
export const isActivityTrouble = (attempt: number) => attempt > USUAL_ACTIVITY_ATTEMPTS;

/**
 * What a record says of its run: what is wrong, since when (`seen`: when it was seen first), and what to do; null
 * without trouble.
 */
export function troubleText(troubles: readonly Trouble[], seen: number, zone: string): string | null {
  const [first, ...others] = troubles.toSorted(
    (a, b) => Number(a.activity !== null) - Number(b.activity !== null) || b.attempt - a.attempt,
  );
  if (!first) return null;
  const more = others.length > 0 ? ` ${others.length} more of its steps have trouble, too.` : "";
  const since = formatTime(first.since ?? seen, zone);
  return `${first.activity === null ? taskText(first, since) : activityText(first, first.activity, since)}${more}`;
}

const because = (reason: string | null) => (reason === null ? "" : `: ${reason.slice(0, MOST_REASON)}`);

function taskText({ workflowId, attempt, reason }: Trouble, since: string): string {
  return `Workflow ${workflowId} cannot go on since ${since}; its code has failed ${attempt} times in the same place${because(reason)}. A release that does not fail there lets it go on; or stop the task, which ends the run, and execute it again: what is done is not done again.`;
}

function activityText({ workflowId, attempt, reason }: Trouble, activity: string, since: string): string {
  return `${activity} of workflow ${workflowId} has failed since ${since}, and is tried for the ${attempt}th time${because(reason)}. It is tried until it succeeds; remove its cause, or stop the task and execute it again: what is done is not done again.`;
}
