import type { Db } from "../../db/open.ts";
import {
  deleteOldRecords,
  forgottenStarts,
  resetNextTimes,
} from "../../db/tasks/upkeep.ts";
import type { Executions, Logger } from "../deps.ts";
import { repeat } from "../runs/repeat.ts";
import type { Schedules } from "../runs/schedules.ts";

type UpkeepDeps = {
  db: Db;
  executions: Pick<Executions, "taskSaved">;
  schedules: Pick<Schedules, "reconcile">;
  /** IANA name of the configured time zone. */
  zone: string;
  now: () => number;
  logger: Pick<Logger, "info" | "warn">;
};

const MINUTE = 60_000;
/** Period of each kind of upkeep, in ms. */
const PERIODS = { starts: MINUTE, schedules: 3 * MINUTE, records: 24 * 60 * MINUTE };

/**
 * Starts the upkeep of tasks, schedules and records: starts tasks that were forgotten, brings
 * schedules in line with tasks, deletes old records. Each runs at once and then at its period.
 */
export function startUpkeep(deps: UpkeepDeps, periods = PERIODS) {
  const { db, logger } = deps;
  let isReset = false;
  const starts = repeat(periods.starts, "starting forgotten tasks", logger, async () => {
    if (!isReset) resetNextTimes(db, deps.zone, deps.now());
    isReset = true;
    for (const taskKey of forgottenStarts(db)) await deps.executions.taskSaved(taskKey);
  });
  const schedules = repeat(
    periods.schedules,
    "bringing schedules in line",
    logger,
    deps.schedules.reconcile,
  );
  const records = repeat(periods.records, "deleting old records", logger, async () => {
    const deleted = await deleteOldRecords(db, deps.now());
    if (deleted > 0)
      logger.info(
        { deleted },
        "deleted records that were older than their tasks keep them",
      );
  });
  return {
    /** Called when Temporal is up again: schedules may be out of line with their tasks. */
    temporalIsBack: schedules.now,
    stop: () => [starts, schedules, records].forEach(({ stop }) => stop()),
  };
}
