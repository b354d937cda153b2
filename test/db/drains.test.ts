import { afterEach, describe, expect, test } from "vitest";
import { newestEvent } from "../../db/pending/cursors.ts";
import { runTargets } from "../../db/runs/targets.ts";
import { task } from "../../db/schema/tasks.ts";
import {
  BROKEN,
  CONFLICT,
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

const IDLE = { kind: "idle", wait: null };
const SECOND = 1_000;

describe("what a drain takes", () => {
  test("is what was uploaded since the cluster joined the task, each path once, as it is now", () => {
    const { uploadAll, upload, update, clusterIds, drain, take, planned } = follow();
    upload("/old");
    update([FILES], []);
    upload("/between");
    update([FILES], clusterIds);
    uploadAll([
      ["/a", "one"],
      ["/b", "b"],
    ]);
    uploadAll([["/a", "three"]]);
    const { recordId, targets } = drain();
    expect(planned(recordId)).toEqual(["/a", "/b"]);
    expect(targets).toMatchObject([{ object: 0, label: "files → cluster-0" }]);
    uploadAll([["/a", "newest"]]);
    expect(take(recordId)[0]?.artifacts.map(({ name, size }) => [name, size])).toEqual([
      ["/a", 6],
      ["/b", 1],
    ]);
  });

  test("is what the object's paths mean: files, folders, and * in the last segment", () => {
    const { upload, drain, planned } = follow({ objects: [paths("/one.txt", "/folder", "/logs/*.gz")] });
    upload(
      "/one.txt",
      "/one.txt.asc",
      "/folder/a",
      "/folder/deep/b",
      "/folders",
      "/logs/x.gz",
      "/logs/x.txt",
      "/logs/deep/x.gz",
    );
    expect(planned(drain().recordId)).toEqual(["/one.txt", "/folder/a", "/folder/deep/b", "/logs/x.gz"]);
  });

  test("is nothing where uploads mean nothing to the task, and they are passed", () => {
    const { upload, uploadAll, begin, cursor, db } = follow({ objects: [paths("/wanted")] });
    upload("/other");
    uploadAll([["/wanted", "in another repository"]], "more");
    expect(begin()).toEqual(IDLE);
    expect(cursor()?.position).toBe(newestEvent(db));
  });

  test("leaves out what was deleted, before and after it was planned", async () => {
    const { upload, remove, drain, planned, send, close, overview, begin, db } = follow();
    upload("/a", "/b", "/c");
    await remove("/a");
    const { recordId } = drain();
    expect(planned(recordId)).toEqual(["/b", "/c"]);
    await remove("/b");
    expect(send(recordId)).toEqual(["/c"]);
    expect(await close(recordId)).toMatchObject({ status: "SUCCESS", planned: 1, success: 1 });
    expect(overview(recordId)).toMatchObject({ planned: 1, success: 1, failed: 0, notDone: 0 });
    expect(begin()).toEqual(IDLE);
    expect(db.select().from(task).get()).toMatchObject({ executionTimes: 1, lastExecutionStatus: "SUCCESS" });
  });

  test("ends as nothing to do for a file that was deleted while it waited to be tried again", async () => {
    const { upload, remove, drain, send, close, time, overview } = follow();
    upload("/a");
    const { recordId } = drain();
    send(recordId, () => LATER);
    await remove("/a");
    time.now += 2 * SECOND;
    send(recordId);
    expect(await close(recordId)).toMatchObject({ status: "SUCCESS" });
    expect(overview(recordId)).toMatchObject({ planned: 1, success: 1, skip: 1, failed: 0 });
  });

  test("is bounded: 1,000 in one transaction, 10,000 in one drain, the rest in the next", async () => {
    const { uploadAll, drain, grow, planned, send, close } = follow();
    const files = Array.from({ length: 12_000 }, (_, at): [string, string] => [`/f${at}`, "x"]);
    for (let at = 0; at < files.length; at += 1_000) uploadAll(files.slice(at, at + 1_000));
    const { recordId, more } = drain();
    expect([planned(recordId).length, more]).toEqual([1_000, true]);
    for (let pages = 1; pages < 10; pages += 1) expect(grow(recordId)).toMatchObject({ more: true, full: false });
    expect(planned(recordId)).toHaveLength(10_000);
    expect(grow(recordId)).toEqual({ targets: [], more: false, full: true });
    while (send(recordId).length > 0);
    expect(await close(recordId)).toMatchObject({ planned: 10_000, success: 10_000 });
    expect(planned(drain().recordId)[0]).toBe("/f10000");
  });

  test("is answered again while it goes on", () => {
    const { upload, drain } = follow();
    upload("/a");
    const { recordId } = drain();
    expect(drain()).toMatchObject({ recordId, targets: null, plan: false });
  });

  test("cannot be sent to such a cluster: the record says so, and the uploads are passed", async () => {
    const { upload, begin, close, db } = follow({ type: "REMOTE" });
    upload("/a");
    const step = begin();
    expect(step).toMatchObject({ kind: "drain", targets: [] });
    const recordId = step.kind === "drain" ? step.recordId : "";
    expect(runTargets(db, recordId).targets).toEqual([]);
    expect(await close(recordId)).toMatchObject({
      status: "FAILED",
      planned: 0,
      errorReason: expect.stringContaining("not yet to a REMOTE cluster"),
    });
    expect(begin()).toEqual(IDLE);
  });
});

describe("what happens while a drain goes on", () => {
  test("is taken in: new files, and new contents of what has ended", async () => {
    const { upload, uploadAll, drain, grow, send, take, close, overview, begin } = follow({
      objects: [FILES, { ...FILES, localRepoName: "more" }],
    });
    uploadAll([["/a", "one"]]);
    const { recordId } = drain();
    send(recordId);
    uploadAll([["/a", "changed"]]);
    upload("/b");
    uploadAll([["/c", "c"]], "more");
    expect(grow(recordId).targets.map(({ object }) => object)).toEqual([0, 1]);
    const [again, rest] = take(recordId);
    expect(again?.artifacts).toMatchObject([{ name: "/a", size: 7, begun: true }]);
    expect(rest?.artifacts).toMatchObject([{ name: "/b" }]);
    for (const { report } of [again, rest].flatMap((one) => one ?? [])) report(() => SENT);
    expect(send(recordId, () => SENT, 1)).toEqual(["/c"]);
    expect(await close(recordId)).toMatchObject({ status: "SUCCESS", planned: 3, success: 3 });
    expect(overview(recordId)).toMatchObject({ planned: 3, success: 3, notDone: 0 });
    expect(begin()).toEqual(IDLE);
  });

  test("waits for the next drain where the file is just being sent: an older content is never the last", async () => {
    const { uploadAll, drain, grow, take, close, waiting } = follow();
    uploadAll([["/a", "one"]]);
    const { recordId } = drain();
    const [sending] = take(recordId);
    uploadAll([["/a", "longer"]]);
    expect(grow(recordId).targets).toEqual([]);
    expect(sending?.report(() => SENT)).toBeNull();
    expect(await close(recordId)).toMatchObject({ status: "SUCCESS", success: 1 });
    expect(waiting()).toEqual(["/a 0"]);
    const next = drain();
    expect(take(next.recordId)[0]?.artifacts).toMatchObject([{ name: "/a", size: 6 }]);
  });

  test("is left to the next drain once the task was changed or disabled", () => {
    const { upload, drain, grow, update, toggle, time } = follow();
    upload("/a");
    const { recordId } = drain();
    time.now += 1;
    update([paths("/b")]);
    upload("/b");
    expect(grow(recordId)).toEqual({ targets: [], more: false, full: true });
    toggle(false);
    expect(grow(recordId)).toEqual({ targets: [], more: false, full: true });
  });
});

describe("a file that fails", () => {
  test("for good is recorded and passed", async () => {
    const { upload, run, begin, details } = follow();
    upload("/a", "/b");
    const { recordId, closed } = await run((path) => (path === "/a" ? BROKEN : SENT));
    expect(closed).toMatchObject({ status: "FAILED", success: 1, failed: 1 });
    expect(details(recordId)).toMatchObject([
      { artifactName: "/a", status: "FAILED", errorReason: "refused" },
      { artifactName: "/b", status: "SUCCESS" },
    ]);
    expect(begin()).toEqual(IDLE);
  });

  test("for 60 s waits for a later drain, and the cursor moves on", async () => {
    const { upload, exhaust, run, begin, waiting, time, cursor, db, planned, drain } = follow();
    upload("/a", "/b");
    const { closed } = await exhaust((path) => (path === "/a" ? LATER : SENT));
    expect(closed).toMatchObject({
      status: "FAILED",
      success: 1,
      failed: 1,
      errorReason: expect.stringContaining("tried for 60 s"),
    });
    expect(cursor()?.position).toBe(newestEvent(db));
    expect(waiting()).toEqual(["/a 1"]);
    const step = begin();
    expect(step).toMatchObject({ kind: "idle", wait: expect.any(Number) });
    expect(step.kind === "idle" && step.wait).toBeLessThanOrEqual(5 * SECOND);
    upload("/c");
    expect((await run()).closed).toMatchObject({ status: "SUCCESS", planned: 1 });
    time.now += 5 * SECOND;
    const { recordId } = drain();
    expect(planned(recordId)).toEqual(["/a"]);
  });

  test("again and again is tried after 5 s, 10 s, 20 s, at most 5 min, until it is taken", async () => {
    const { upload, exhaust, run, begin, waiting, time } = follow();
    upload("/a");
    const waits: number[] = [];
    await exhaust(() => LATER);
    for (let round = 0; round < 8; round += 1) {
      const due = begin();
      const wait = due.kind === "idle" ? (due.wait ?? 0) : 0;
      waits.push(Math.round(wait / SECOND));
      time.now += wait;
      if (round < 7) await exhaust(() => LATER);
    }
    expect(waits.map((wait, at) => Math.abs(wait - Math.min(5 * 2 ** at, 300)) <= 1)).toEqual(waits.map(() => true));
    expect((await run()).closed).toMatchObject({ status: "SUCCESS", planned: 1 });
    expect(waiting()).toEqual([]);
    expect(begin()).toEqual(IDLE);
  });

  test("and is changed meanwhile is tried at once", async () => {
    const { upload, exhaust, run, begin } = follow();
    upload("/a");
    await exhaust(() => LATER);
    upload("/a");
    expect((await run()).closed).toMatchObject({ status: "SUCCESS", planned: 1 });
    expect(begin()).toMatchObject({ kind: "idle", wait: expect.any(Number) });
  });

  test("and is deleted or meant no more need not wait", async () => {
    const { upload, exhaust, begin, remove, update, waiting, time } = follow();
    upload("/a", "/b");
    await exhaust(() => LATER);
    expect(waiting()).toEqual(["/a 1", "/b 1"]);
    await remove("/a");
    update([paths("/c")]);
    time.now += 5 * SECOND;
    expect(begin()).toEqual(IDLE);
    expect(waiting()).toEqual([]);
  });

  test.each([
    ["with errorStrategy FAST_FAIL", { errorStrategy: "FAST_FAIL" } as const, BROKEN],
    ["as a conflict with conflictStrategy FAST_FAIL", { conflictStrategy: "FAST_FAIL" } as const, CONFLICT],
  ])("%s ends the drain; it is passed, and the others go with the next", async (_, setting, failure) => {
    const { uploadAll, drain, take, close, begin, send, planned } = follow({ setting });
    uploadAll(Array.from({ length: 60 }, (_value, at) => [`/f${String(at).padStart(2, "0")}`, "x"] as const));
    const { recordId } = drain();
    const [first] = take(recordId);
    first?.report((path) => (path === "/f10" ? failure : SENT));
    expect(await close(recordId)).toMatchObject({
      status: "FAILED",
      errorReason: expect.stringContaining("stopped at the first failure (FAST_FAIL): /f10"),
    });
    const next = drain();
    expect(planned(next.recordId)).not.toContain("/f10");
    expect(planned(next.recordId)).toContain("/f59");
    while (send(next.recordId).length > 0);
    expect(await close(next.recordId)).toMatchObject({ status: "SUCCESS", failed: 0 });
    expect(begin()).toEqual(IDLE);
  });
});

describe("a cluster that is away", () => {
  test("for 60 s ends the drain; its uploads stay and are tried after 5 s, 10 s, 20 s, at most 5 min", async () => {
    const { upload, exhaust, run, begin, cursor, time, waiting, planned, drain } = follow();
    upload("/a", "/b");
    const before = cursor()?.position;
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const { closed } = await exhaust(() => UNREACHABLE);
      expect(closed).toMatchObject({
        status: "FAILED",
        errorReason: expect.stringMatching(/^the cluster took nothing for 60 s: connection refused/),
      });
      const step = begin();
      const wait = step.kind === "idle" ? (step.wait ?? 0) : 0;
      waits.push(wait / SECOND);
      time.now += wait;
    }
    expect(waits).toEqual([5, 10, 20, 40, 80, 160, 300, 300]);
    expect(cursor()?.position).toBe(before);
    expect(waiting()).toEqual([]);
    upload("/c");
    expect((await run()).closed).toMatchObject({ status: "SUCCESS", planned: 3 });
    expect(cursor()).toMatchObject({ failures: 0, notBefore: null });
    upload("/d");
    expect(planned(drain().recordId)).toEqual(["/d"]);
  });

  test("ends the drain within the 60 s, however many files there are", async () => {
    const { uploadAll, drain, take, time, close } = follow();
    uploadAll(Array.from({ length: 1_000 }, (_, at) => [`/f${at}`, "x"] as const));
    const { recordId } = drain();
    const begun = time.now;
    let stop: string | null = null;
    for (; stop === null; time.now += 10 * SECOND) {
      for (const { report } of take(recordId).slice(0, 1)) stop ??= report(() => UNREACHABLE);
    }
    expect(time.now - begun).toBeLessThanOrEqual(90 * SECOND);
    expect(await close(recordId)).toMatchObject({ status: "FAILED", errorReason: stop });
  });

  test("holds up no other", async () => {
    const { upload, exhaust, run, begin, cursor, db, clusterIds } = follow({ clusters: 2 });
    const [down = "", up = ""] = clusterIds;
    upload("/a");
    await exhaust(() => UNREACHABLE, down);
    expect((await run(() => SENT, up)).closed).toMatchObject({ status: "SUCCESS", success: 1 });
    expect(begin(up)).toEqual(IDLE);
    expect([cursor(up)?.position, cursor(down)?.position]).toEqual([newestEvent(db), 0]);
  });

  test("for some files only, while it takes others, is not away", async () => {
    const { upload, drain, send, time, close, waiting, begin } = follow();
    upload("/a");
    const { recordId } = drain();
    for (const end = time.now + 61 * SECOND; time.now < end; time.now += SECOND) {
      upload(`/n${time.now}`);
      opened[0]?.grow(recordId);
      send(recordId, (path) => (path === "/a" ? UNREACHABLE : SENT));
    }
    expect(await close(recordId)).toMatchObject({ status: "FAILED", failed: 1 });
    expect(waiting()).toEqual(["/a 1"]);
    expect(begin()).toMatchObject({ kind: "idle" });
  });
});
