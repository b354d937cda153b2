import type { Db } from "../../db/open.ts";
import { type RunningRecord, setProblem } from "../../db/runs/problems.ts";
import { troubleText } from "../../domain/trouble.ts";
import type { Logger } from "../deps.ts";
import type { Look } from "./look.ts";

type NoteDeps = {
  db: Db;
  now: () => number;
  zone: string;
  logger: Pick<Logger, "info" | "error">;
};

/**
 * Stores the problem that blocks a run in the run's record, and logs when the problem begins and
 * ends.
 */
export function createTroubleNotes({ db, now, zone, logger }: NoteDeps) {
  /** When the trouble of a run was first noticed, by record id. */
  const firstSeen = new Map<string, number>();
  return {
    note(row: RunningRecord, { troubles }: Look): void {
      const since = firstSeen.get(row.id) ?? now();
      if (troubles.length === 0) firstSeen.delete(row.id);
      else firstSeen.set(row.id, since);
      const problem = troubleText(troubles, since, zone);
      if (problem === row.problem) return;
      setProblem(db, row.id, problem);
      const facts = {
        recordId: row.id,
        taskKey: row.taskKey,
        workflowId: row.workflowId,
      };
      if (row.problem === null)
        logger.error({ ...facts, problem }, "a run does not go on");
      else if (problem === null)
        logger.info(facts, "a run that did not go on does again");
    },
    /**
     * Forgets the runs whose record ids are not in `ids`, because their records are no longer
     * RUNNING.
     */
    keepOnly(ids: ReadonlySet<string>): void {
      for (const id of firstSeen.keys()) {
        if (ids.has(id)) continue;
        firstSeen.delete(id);
        logger.info({ recordId: id }, "a run that did not go on is over");
      }
    },
  };
}
