import type { Client } from "@temporalio/client";
import type { LimitFunction } from "p-limit";
import type { Db } from "../../db/open.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import type { Queues } from "../../workflows/contract.ts";
import type { Logger } from "../deps.ts";
import { endRun } from "./end-run.ts";
import { lookAtRun } from "./look.ts";
import { type BrokenInput, type BrokenRun, brokenRuns } from "./unrecorded.ts";

type UnbegunDeps = {
  db: Db;
  client: Client;
  queues: Queues;
  logger: Pick<Logger, "warn" | "error">;
};

/**
 * Looks after runs whose code fails and that have no RUNNING record. A firing that could not make
 * its record yet waits for a release that can; every other such run is terminated.
 */
export function createUnbegun(
  { db, client, queues, logger }: UnbegunDeps,
  limit: LimitFunction,
) {
  /** By workflow id: the key of the task whose firing cannot begin. */
  let unbegun = new Map<string, string>();

  /** Whether a run is a firing of an existing task: no other run can take its place. */
  const isNeeded = ({ recordId, clusterId, taskKey }: BrokenInput) =>
    clusterId === undefined && recordId === null && findTask(db, taskKey) !== null;

  async function endUnneeded({ workflowId, input }: BrokenRun): Promise<void> {
    if (isNeeded(input)) return;
    const { children } = await lookAtRun(client, workflowId, limit);
    logger.warn(
      { workflowId },
      "a run whose code fails and that has no running record is terminated",
    );
    await endRun(
      client,
      workflowId,
      children,
      "the workflow code fails, and the run has no running record",
      limit,
    );
  }

  return {
    /**
     * Lists the runs whose code fails and handles each. `known`: workflow ids of the RUNNING
     * records, which are left out.
     */
    async look(known: ReadonlySet<string>): Promise<void> {
      const broken = await brokenRuns(client, queues.orchestrate, known, limit);
      const waiting = broken.filter(({ input }) => isNeeded(input));
      for (const { workflowId, input } of waiting) {
        if (!unbegun.has(workflowId))
          logger.error(
            { workflowId, taskKey: input.taskKey },
            "a firing cannot begin: its code fails; install a release that does not fail there, and the firing goes on",
          );
      }
      unbegun = new Map(
        waiting.map(({ workflowId, input }) => [workflowId, input.taskKey]),
      );
      await Promise.all(broken.map(endUnneeded));
    },
    /** Returns the keys of the tasks whose firing cannot begin, one key for each firing. */
    taskKeys: (): readonly string[] => [...unbegun.values()],
  };
}
