import { setTimeout as sleep } from "node:timers/promises";
import type {
  Client,
  HistoryAndWorkflowId,
  WorkflowExecutionDescription,
} from "@temporalio/client";
import { Worker } from "@temporalio/worker";
import type { Logger } from "pino";
import { beginAgain, wasBegunBy } from "./begin-again.ts";
import { NO_SPANS } from "./tracing.ts";
import { elapsed } from "../domain/elapsed.ts";

/** Maximum number of runs that are looked at; a start waits no longer than WITHIN_MS for all of them. */
const MOST_RUNS = 2_000;
const WITHIN_MS = 30_000;
const ANSWERED_WITHIN_MS = 10_000;

type ReplayOptions = {
  client: Client;
  taskQueue: string;
  /** The workflow code, and the id that distinguishes it from the code of other releases. */
  codePath: string;
  build: string;
  log: Logger;
};

/**
 * Replays the histories of the runs under way that another build executed with the code of this release,
 * before the release's first workflow task. If the code breaks a run, the whole tree of runs to which it
 * belongs is begun again, once for each release. Call this while nothing else executes tasks of these runs.
 */
export async function replayOpenRuns(options: ReplayOptions): Promise<void> {
  const { client, log } = options;
  const begun = elapsed();
  const deadline = begun + WITHIN_MS;
  const broken = new Map<string, string>();
  const seen = { replayed: 0, left: false };
  try {
    await Promise.race([
      client.withDeadline(Date.now() + WITHIN_MS, () =>
        replayAll(options, deadline, seen, broken),
      ),
      endOf(WITHIN_MS),
    ]);
  } catch (error) {
    seen.left = true;
    log.warn(
      { err: error },
      "not all runs under way could be replayed; a run that this release breaks will report it",
    );
  }
  for (const [workflowId, reason] of broken)
    await beginAgainLogged(options, workflowId, reason);
  if (seen.replayed > 0 || seen.left)
    log.info(
      { ...seen, begunAgain: broken.size, ms: elapsed() - begun },
      "replayed the runs under way",
    );
}

/** Throws after `ms`, so that a replay that never ends does not keep the release from starting. */
async function endOf(ms: number): Promise<never> {
  await sleep(ms, undefined, { ref: false });
  throw new Error(`the replay is not finished after ${ms / 1_000} s`);
}

type Seen = { replayed: number; left: boolean };

/**
 * Replays the open runs with this release's code. Fills `broken` with the reason of the first failed replay
 * in each tree of runs, by the workflow id of the run at the top of the tree.
 */
async function replayAll(
  options: ReplayOptions,
  deadline: number,
  seen: Seen,
  broken: Map<string, string>,
): Promise<void> {
  const roots = new Map<string, string>();
  const replays = Worker.runReplayHistories(
    { workflowBundle: { codePath: options.codePath }, sinks: NO_SPANS },
    histories(options, deadline, roots, seen),
  );
  for await (const { workflowId, error } of replays) {
    seen.replayed += 1;
    const root = roots.get(workflowId) ?? workflowId;
    if (error && !broken.has(root)) broken.set(root, error.message);
  }
}

/**
 * Yields the histories of the open runs that another build executed, one at a time, because a history may
 * be long.
 */
async function* histories(
  { client, taskQueue, build, log }: ReplayOptions,
  deadline: number,
  roots: Map<string, string>,
  seen: Seen,
): AsyncGenerator<HistoryAndWorkflowId> {
  const query = `ExecutionStatus = 'Running' AND TaskQueue = '${taskQueue}'`;
  let looked = 0;
  for await (const { workflowId, runId } of client.workflow.list({ query })) {
    if ((looked += 1) > MOST_RUNS || elapsed() > deadline - ANSWERED_WITHIN_MS / 2) {
      seen.left = true;
      return;
    }
    const handle = client.workflow.getHandle(workflowId, runId);
    try {
      const described = await handle.describe();
      if (described.status.name !== "RUNNING" || !isOfAnother(described, build)) continue;
      roots.set(
        workflowId,
        described.rootExecution?.workflowId ??
          described.parentExecution?.workflowId ??
          workflowId,
      );
      yield { workflowId, history: await handle.fetchHistory() };
    } catch (error) {
      log.warn(
        { err: error, workflowId },
        "a run under way could not be read and is not replayed",
      );
    }
  }
}

/**
 * Returns false when this build did the run's last workflow task, or the run was begun again for this
 * build; otherwise true, also for a run that has done no workflow task yet.
 */
function isOfAnother(described: WorkflowExecutionDescription, build: string): boolean {
  const last = described.raw.workflowExecutionInfo?.mostRecentWorkerVersionStamp?.buildId;
  return last !== build && !wasBegunBy(described, build);
}

async function beginAgainLogged(
  { client, build, log }: ReplayOptions,
  workflowId: string,
  reason: string,
): Promise<void> {
  try {
    if (await beginAgain(client, workflowId, build))
      log.error(
        { workflowId, reason },
        "this release cannot go on with a run under way; the run was begun again and keeps what is done",
      );
    else
      log.error(
        { workflowId, reason },
        "this release cannot go on with a run under way that it has already begun again",
      );
  } catch (error) {
    log.error(
      { err: error, workflowId, reason },
      "this release cannot go on with a run under way, which could not be begun again",
    );
  }
}
