import type { Db } from "../../db/open.ts";
import { findRecord } from "../../db/records/records.ts";
import { openWaits } from "../../db/records/waits.ts";
import { findTask } from "../../db/tasks/tasks.ts";
import { waitText } from "../../domain/waiting.ts";
import type { Logger } from "../deps.ts";

type WaitNoteDeps = {
  db: Db;
  now: () => number;
  zone: string;
  logger: Pick<Logger, "info" | "warn">;
};

/** Logs when running executions begin to wait because something fails, and when that ends: one line each. */
export function createWaitNotes({ db, now, zone, logger }: WaitNoteDeps) {
  /** By the key of the wait: the run. */
  let known = new Map<string, { recordId: string; since: number }>();

  return async (): Promise<void> => {
    const time = now();
    const open = openWaits(db, time);
    for (const { key, recordId, read } of open) {
      const wait = known.has(key) ? null : read();
      if (wait === null) continue;
      const waitingFor = waitText([wait], zone)?.en;
      const { taskKey = "" } = findRecord(db, recordId) ?? {};
      const task = findTask(db, taskKey)?.name ?? null;
      logger.warn({ recordId, taskKey, task }, `a run waits: ${waitingFor}`);
    }
    const current = new Map(
      open.map(({ key, recordId }) => [key, known.get(key) ?? { recordId, since: time }]),
    );
    for (const [key, { recordId, since }] of known) {
      if (current.has(key)) continue;
      const seconds = Math.round((time - since) / 1000);
      const status = findRecord(db, recordId)?.status;
      const how =
        status === "FAILED" ? "a run that waited has failed" : "a run no longer waits";
      logger.info({ recordId }, `${how}, after ${seconds} s`);
    }
    known = current;
  };
}
