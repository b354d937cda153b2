import { setTimeout as sleep } from "node:timers/promises";
import type { RecordInfo } from "../rigs/runs/run-fixture.ts";
import type { World } from "./world.ts";

/**
 * `realTime`: an artifact that changes is sent again within the same record, so that the number of ended ones may fall.
 */
export type Watch = {
  add: (task: string, name: string, kind?: { realTime: boolean }) => void;
  drop: (task: string) => void;
  looks: () => number;
};

const LOOK_MS = 1_000;
/** Number of newest records of each task that are checked. */
const NEWEST = 10;

/** `dropped`: how the number of planned artifacts has fallen once, in words. */
type Seen = {
  planned: number;
  ended: number;
  dropped: string | null;
  status: RecordInfo["status"];
};

/**
 * Checks the newest records of all tasks all the time: counts add up, nothing done is undone, ended runs keep their
 * status, no record is lost.
 */
export function startWatch(world: World, until: AbortSignal): Watch {
  const { product, journal } = world;
  const tasks = new Map<string, { name: string; realTime: boolean }>();
  const seen = new Map<string, Map<string, Seen>>();
  let looks = 0;

  async function look(
    task: string,
    { name, realTime }: { name: string; realTime: boolean },
  ): Promise<void> {
    const { records } = await product.call<{ records: RecordInfo[] }>(
      "GET",
      `/replication/api/task/record/page/${task}?pageNumber=1&pageSize=${NEWEST}`,
    );
    const before = seen.get(task) ?? new Map<string, Seen>();
    if (!tasks.has(task)) return;
    for (const record of records) judge(name, record, before.get(record.id), realTime);
    const listed = new Set(records.map(({ id }) => id));
    // A record may only be missing if the page is full, because newer records then displace it.
    if (records.length < NEWEST)
      for (const id of before.keys())
        if (!listed.has(id)) journal.violatedOnce("no record is lost", id, `of ${name}`);
    const now = records.map(
      (each) => [each.id, seenOf(each, before.get(each.id))] as const,
    );
    seen.set(task, new Map(now));
  }

  function judge(
    name: string,
    record: RecordInfo,
    before: Seen | undefined,
    realTime: boolean,
  ): void {
    looks += 1;
    const counts = record.replicaOverview;
    if (
      counts &&
      (counts.planned !== counts.success + counts.failed + counts.notDone ||
        counts.skip > counts.success)
    ) {
      journal.violatedOnce(
        "counts add up",
        record.id,
        `${name} ${JSON.stringify(counts)}`,
      );
    }
    const { ended, dropped } = seenOf(record, before);
    if (dropped !== null && record.status !== "RUNNING" && !isUnlisted(record))
      journal.violatedOnce(
        "nothing planned is dropped",
        record.id,
        `${name}: ${dropped}`,
      );
    if (before && !realTime && ended < before.ended)
      journal.violatedOnce(
        "nothing done is undone",
        record.id,
        `${name}: ${before.ended} had ended, now ${ended}`,
      );
    if (before && before.status !== "RUNNING" && before.status !== record.status)
      journal.violatedOnce(
        "a run that has ended keeps its status",
        record.id,
        `${name}: ${before.status}, now ${record.status}`,
      );
    if (record.status === "SUCCESS" && counts && counts.success !== counts.planned)
      journal.violatedOnce(
        "SUCCESS means that everything is done",
        record.id,
        `${name} ${JSON.stringify(counts)}`,
      );
  }

  void (async () => {
    // If the API is away or frozen, it is asked again later.
    for (; !until.aborted; await sleep(LOOK_MS))
      for (const [task, kind] of tasks) await look(task, kind).catch(() => undefined);
  })();

  return {
    add: (task, name, { realTime } = { realTime: false }) =>
      void tasks.set(task, { name, realTime }),
    drop: (task) => {
      tasks.delete(task);
      seen.delete(task);
    },
    looks: () => looks,
  };
}

function seenOf(
  { status, replicaOverview: counts }: RecordInfo,
  before: Seen | undefined,
): Seen {
  const planned = counts?.planned ?? 0;
  const had = before?.planned ?? 0;
  const dropped = planned < had ? `${had} were planned, then ${planned}` : null;
  const ended = (counts?.success ?? 0) + (counts?.failed ?? 0);
  return { status, planned, ended, dropped: before?.dropped ?? dropped };
}

/** Whether a run failed because a listing did not come to its end: what it had planned of that object is dropped. */
const isUnlisted = ({ status, errorReason }: RecordInfo): boolean =>
  status === "FAILED" && errorReason?.includes("cannot be listed") === true;
