import type { Client } from "@temporalio/client";
import pLimit, { type LimitFunction } from "p-limit";
import type { Db } from "../../db/open.ts";
import { closeRecord } from "../../db/runs/close.ts";
import { type RunningRecord, stoppingRecords } from "../../db/runs/problems.ts";
import type { Logger } from "../deps.ts";
import { endRun } from "./end-run.ts";
import { type Look, lookAtRun } from "./look.ts";
import type { Pace } from "./pace.ts";
import { elapsed } from "../../domain/elapsed.ts";

type StopWatchDeps = {
  db: Db;
  client: Client;
  now: () => number;
  logger: Logger;
  pace: Pace;
  /** Called after the record of a stopped run of the task was closed here. */
  closed: (taskKey: string) => void;
};

const AT_ONCE = 4;

/**
 * Returns a function that looks once at each stopped run whose record is still RUNNING. A run that
 * can end on its own does so, after it has released what is in flight. A run whose code fails, or
 * that shows no progress, is terminated, and its record says so.
 */
export function createStopWatch(deps: StopWatchDeps): () => Promise<void> {
  const { db, now, logger } = deps;
  const limit = pLimit(AT_ONCE);
  /** By record id: when a stopped run last showed progress, or was first looked at (`elapsed`). */
  const quiet = new Map<string, number>();

  async function lookAfter(row: RunningRecord): Promise<void> {
    const look = await lookAtRun(deps.client, row.workflowId, limit);
    // The reconciler takes care of runs that are unknown or have ended.
    if (look.state !== "RUNNING") return void quiet.delete(row.id);
    const since = quiet.get(row.id) ?? elapsed();
    quiet.set(row.id, isMoving(look, now(), deps.pace) ? elapsed() : since);
    const why = verdict(look, elapsed() - since, deps.pace);
    if (why === null)
      return look.cancelRequested
        ? undefined
        : cancel(deps.client, row.workflowId, limit);
    logger.error(
      { recordId: row.id, workflowId: row.workflowId, why },
      "a run that was stopped cannot end on its own; it is terminated",
    );
    await endRun(
      deps.client,
      row.workflowId,
      look.children,
      `${row.stopReason ?? "stopped"}; the run could not end on its own: ${why}`.slice(
        0,
        1_000,
      ),
      limit,
    );
    await closeRecord(db, row.id, null, now);
    deps.closed(row.taskKey);
  }

  return async () => {
    const rows = stoppingRecords(db);
    const ids = new Set(rows.map(({ id }) => id));
    for (const id of quiet.keys()) if (!ids.has(id)) quiet.delete(id);
    const looks = rows.map((row) =>
      lookAfter(row).catch((error: unknown) =>
        logger.warn(
          { err: error, recordId: row.id },
          "a stopped run could not be looked after; it is tried again",
        ),
      ),
    );
    await Promise.all(looks);
  };
}

/**
 * Whether a run makes progress. If one of its workflow tasks is waiting: only if it has waited less
 * than `patience`. Otherwise: if a worker is executing one of its activities.
 */
function isMoving({ atWork, taskSince }: Look, now: number, { patience }: Pace): boolean {
  return taskSince === null ? atWork : now - taskSince < patience;
}

/**
 * Returns why a run must be terminated, `quietMs` after its last progress; null if it need not be.
 */
function verdict(
  { troubles, taskSince }: Look,
  quietMs: number,
  { patience }: Pace,
): string | null {
  const broken = troubles.find(({ activity }) => activity === null);
  const trouble = broken ?? (quietMs < patience ? undefined : troubles[0]);
  if (trouble) {
    const why = trouble.reason === null ? "" : `: ${trouble.reason}`;
    return `${trouble.activity ?? "the workflow code"} has failed ${trouble.attempt} times${why}`;
  }
  if (quietMs < patience) return null;
  return taskSince === null
    ? "no worker carried out any of its activities"
    : "no orchestrator carried out its next step";
}

async function cancel(
  client: Client,
  workflowId: string,
  limit: LimitFunction,
): Promise<void> {
  // The run is cancelled again here because it was stopped before Temporal knew it, or while
  // Temporal was away.
  await limit(() =>
    client.withDeadline(Date.now() + 5_000, () =>
      client.workflow.getHandle(workflowId).cancel(),
    ),
  );
}
