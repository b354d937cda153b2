import { eq, sql } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { findCluster, setClusterHealth } from "../../db/tasks/clusters.ts";
import { findConcerned } from "../../db/drains/bell.ts";
import {
  dropCursors,
  forwardCursors,
  listDue,
  newestEvent,
} from "../../db/pending/cursors.ts";
import { planCatchUp } from "../../db/drains/plan.ts";
import { deletePassedEvents } from "../../db/content/events.ts";
import { requestStop } from "../../db/runs/close.ts";
import { event, pending } from "../../db/schema/content.ts";
import { task } from "../../db/schema/tasks.ts";
import {
  BROKEN,
  createFollowed,
  FILES,
  type Followed,
  LATER,
  paths,
  SENT,
  UNREACHABLE,
} from "../rigs/db/drain-fixture.ts";

const opened: Followed[] = [];
afterEach(() => opened.splice(0).forEach((one) => one.destroy()));

function follow(...options: Parameters<typeof createFollowed>): Followed {
  const followed = createFollowed(...options);
  opened.push(followed);
  return followed;
}

const SECOND = 1_000;

describe("the cursors of a REAL_TIME task", () => {
  test("a REAL_TIME task begins no drain while it is disabled, and plans the missed uploads once it is enabled", () => {
    const { upload, toggle, begin, drain, planned } = follow();
    toggle(false);
    upload("/a");
    expect(begin()).toEqual({ kind: "gone" });
    toggle(true);
    expect(planned(drain().recordId)).toEqual(["/a"]);
  });

  test("a stopped REAL_TIME task keeps its unsent uploads for the next drain, which begins after 5 s", async () => {
    const { upload, drain, close, begin, db, time, planned } = follow();
    upload("/a");
    const { recordId } = drain();
    requestStop(db, recordId, "stopped by admin");
    expect(await close(recordId)).toMatchObject({
      status: "FAILED",
      errorReason: "stopped by admin",
    });
    expect(begin()).toEqual({ kind: "idle", wait: 5 * SECOND });
    time.now += 5 * SECOND;
    expect(planned(drain().recordId)).toEqual(["/a"]);
  });

  test("a REAL_TIME task drops the cursor of a cluster that is removed from it, even during a drain", async () => {
    const {
      upload,
      drain,
      send,
      close,
      update,
      cursor,
      clusterIds,
      exhaust,
      waiting,
      begin,
    } = follow({ clusters: 2 });
    const [leaving = "", staying = ""] = clusterIds;
    upload("/a");
    await exhaust(() => LATER, staying);
    const { recordId } = drain(leaving);
    update([FILES], [staying]);
    expect(cursor(leaving)).toBeNull();
    send(recordId, () => SENT);
    expect(await close(recordId)).toMatchObject({ status: "SUCCESS" });
    expect([begin(leaving), waiting()]).toEqual([{ kind: "gone" }, ["/a 1"]]);
  });

  test("deleting a REAL_TIME task deletes its list of files that wait to be sent", async () => {
    const { upload, exhaust, db, taskKey, waiting, begin } = follow();
    upload("/a");
    await exhaust(() => LATER);
    await dropCursors(db, taskKey);
    expect([waiting(), begin()]).toEqual([[], { kind: "gone" }]);
  });

  test("a task shows the status of the drain that began last, even if an earlier drain ends later", async () => {
    const { upload, drain, send, close, clusterIds, time, db } = follow({ clusters: 2 });
    const [one = "", two = ""] = clusterIds;
    upload("/a");
    const first = drain(one);
    time.now += 1;
    const second = drain(two);
    send(second.recordId);
    send(first.recordId, () => BROKEN);
    await close(first.recordId);
    expect(db.select().from(task).get()).toMatchObject({
      lastExecutionStatus: "RUNNING",
      executionTimes: 2,
      lastExecutionTime: time.now,
    });
    await close(second.recordId);
    expect(db.select().from(task).get()).toMatchObject({
      lastExecutionStatus: "SUCCESS",
    });
  });
});

describe("the event log", () => {
  const events = (db: Followed["db"]) => db.select().from(event).all().length;

  test("events that every cursor has passed are deleted from the event log, and the others are kept", async () => {
    const { upload, run, db, clusterIds } = follow({ clusters: 2 });
    upload("/a", "/b");
    await run(() => SENT, clusterIds[0]);
    expect([deletePassedEvents(db), events(db)]).toEqual([0, 2]);
    await run(() => SENT, clusterIds[1]);
    upload("/c");
    expect([deletePassedEvents(db), events(db)]).toEqual([2, 1]);
  });

  test("events of uploads that concern no task are deleted from the event log", async () => {
    const { uploadAll, db, cursor } = follow();
    uploadAll([["/a", "a"]], "more");
    await forwardCursors(db, 1_000_000);
    expect(cursor()?.position).toBe(newestEvent(db));
    expect([deletePassedEvents(db), events(db)]).toEqual([1, 0]);
  });

  test("a cluster that is too many events behind gets a full plan, and no upload is lost", async () => {
    const {
      upload,
      uploadAll,
      remove,
      drain,
      db,
      cursor,
      time,
      planned,
      send,
      close,
      begin,
      exhaust,
    } = follow({
      objects: [paths("/a", "/b", "/nothing", "/f")],
    });
    upload("/a", "/b", "/gone");
    await exhaust(() => UNREACHABLE);
    uploadAll(Array.from({ length: 20 }, (_, at) => [`/f/${at}`, "x"] as const));
    await remove("/b");
    await forwardCursors(db, 20);
    expect(cursor()).toMatchObject({ catchUp: true, position: newestEvent(db) });
    expect(deletePassedEvents(db)).toBe(23);
    time.now += 5 * SECOND;
    const { recordId, plan } = drain();
    expect(plan).toBe(true);
    while (!planCatchUp(db, recordId, 0, time.now));
    expect(planned(recordId)).toHaveLength(21);
    upload("/f/later");
    send(recordId);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 21,
      success: 21,
    });
    expect(cursor()).toMatchObject({ catchUp: false, catchUpRecord: null });
    expect(planned(drain().recordId)).toEqual(["/f/later"]);
    expect(begin()).toMatchObject({ kind: "drain" });
  });

  test("a full plan that an unreachable cluster could not receive is made again for the next drain", async () => {
    const { upload, db, cursor, time, drain, exhaust } = follow();
    upload("/a", "/b");
    await forwardCursors(db, 1);
    const { recordId } = drain();
    while (!planCatchUp(db, recordId, 0, time.now));
    await exhaust(() => UNREACHABLE);
    expect(cursor()).toMatchObject({ catchUp: true, catchUpRecord: null, failures: 1 });
    time.now += 5 * SECOND;
    expect(drain()).toMatchObject({ plan: true });
  });
});

describe("the wake-up of REAL_TIME workflows", () => {
  test("an upload wakes the enabled tasks that it concerns, except at clusters that wait after failures", async () => {
    const { upload, uploadAll, db, time, taskKey, clusterIds, toggle, exhaust } = follow({
      objects: [paths("/wanted")],
      clusters: 2,
    });
    const concerned = (after: number) =>
      findConcerned(db, after, time.now)
        .map(({ clusterId }) => clusterId)
        .toSorted();
    upload("/other");
    uploadAll([["/wanted", "x"]], "more");
    expect(concerned(0)).toEqual([]);
    const before = newestEvent(db);
    upload("/wanted");
    expect(concerned(before)).toEqual(clusterIds.toSorted());
    await exhaust(() => UNREACHABLE, clusterIds[0]);
    expect(concerned(before)).toEqual([clusterIds[1]]);
    expect(findConcerned(db, before, time.now, 1)).toHaveLength(1);
    toggle(false);
    expect(concerned(before)).toEqual([]);
    expect(db.select().from(task).where(eq(task.key, taskKey)).get()?.enabled).toBe(
      false,
    );
  });

  test("the sweep finds clusters with missed uploads or due retries, and lists running drains separately", async () => {
    const { upload, db, time, exhaust, clusterIds, run, drain } = follow({ clusters: 3 });
    const [one = "", two = "", three = ""] = clusterIds;
    const due = async () =>
      (await listDue(db, time.now)).due.map(({ clusterId }) => clusterId).toSorted();
    expect(await due()).toEqual([]);
    upload("/a");
    expect(await due()).toEqual(clusterIds.toSorted());
    await run(() => SENT, three);
    expect(await due()).toEqual([one, two].toSorted());
    await exhaust(() => UNREACHABLE, two);
    expect(await due()).toEqual([one]);
    await exhaust(() => LATER, one);
    expect(await due()).toEqual([two]);
    time.now += 5 * SECOND;
    expect(await due()).toEqual([one, two].toSorted());
    drain(one);
    expect(await due()).toEqual([two]);
    upload("/b");
    expect(await listDue(db, time.now)).toMatchObject({ draining: [{ clusterId: one }] });
  });
});

test("a waiting cluster is due at once when it becomes healthy again, but not if it was healthy before", async () => {
  const { upload, exhaust, db, time, clusterId } = follow();
  upload("/a");
  await exhaust(() => UNREACHABLE);
  const check = (reason: string | null) => {
    const row = findCluster(db, clusterId);
    if (row) setClusterHealth(db, row, reason, time.now);
  };
  check(null);
  expect((await listDue(db, time.now)).due).toEqual([]);
  check("connection refused");
  expect((await listDue(db, time.now)).due).toEqual([]);
  check(null);
  expect((await listDue(db, time.now)).due).toMatchObject([{ clusterId }]);
});

test("a drain takes a waiting file once it is due, and the file waits again if the drain breaks off", async () => {
  const { upload, exhaust, drain, db, time, close } = follow();
  upload("/a");
  await exhaust(() => LATER);
  time.now += 5 * SECOND;
  const { recordId } = drain();
  expect(db.select().from(pending).get()).toMatchObject({ path: "/a", recordId });
  await close(recordId, "the run broke off");
  expect(db.select().from(pending).get()).toMatchObject({
    path: "/a",
    recordId: null,
    tries: 1,
  });
  expect(
    db.get(sql`SELECT count(*) AS n FROM plan WHERE record_id = ${recordId}`),
  ).toEqual({ n: 0 });
});
