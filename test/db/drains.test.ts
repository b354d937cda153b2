import { afterEach, describe, expect, test } from "vitest";
import { newestEvent } from "../../db/pending/cursors.ts";
import { runTargets } from "../../db/runs/targets.ts";
import { task } from "../../db/schema/tasks.ts";
import {
  createFollowed,
  FILES,
  type Followed,
  LATER,
  paths,
  SENT,
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

describe("the files of a drain", () => {
  test("a drain sends each file uploaded since its cluster joined the task once, with its newest content", () => {
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

  test("a drain sends the files that match the object's paths: files, folders, and * in the last segment", () => {
    const { upload, drain, planned } = follow({
      objects: [paths("/one.txt", "/folder", "/logs/*.gz")],
    });
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
    expect(planned(drain().recordId)).toEqual([
      "/one.txt",
      "/folder/a",
      "/folder/deep/b",
      "/logs/x.gz",
    ]);
  });

  test("uploads that do not match the task start no drain, and the task's cursor moves past them", () => {
    const { upload, uploadAll, begin, cursor, db } = follow({
      objects: [paths("/wanted")],
    });
    upload("/other");
    uploadAll([["/wanted", "in another repository"]], "more");
    expect(begin()).toEqual(IDLE);
    expect(cursor()?.position).toBe(newestEvent(db));
  });

  test("a drain leaves out files that were deleted before or after they were planned", async () => {
    const { upload, remove, drain, planned, send, close, overview, begin, db } = follow();
    upload("/a", "/b", "/c");
    await remove("/a");
    const { recordId } = drain();
    expect(planned(recordId)).toEqual(["/b", "/c"]);
    await remove("/b");
    expect(send(recordId)).toEqual(["/c"]);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 1,
      success: 1,
    });
    expect(overview(recordId)).toMatchObject({
      planned: 1,
      success: 1,
      failed: 0,
      notDone: 0,
    });
    expect(begin()).toEqual(IDLE);
    expect(db.select().from(task).get()).toMatchObject({
      executionTimes: 1,
      lastExecutionStatus: "SUCCESS",
    });
  });

  test("a file that is deleted while a drain waits to try it again counts as skipped", async () => {
    const { upload, remove, drain, send, close, time, overview } = follow();
    upload("/a");
    const { recordId } = drain();
    send(recordId, () => LATER);
    await remove("/a");
    time.now += 2 * SECOND;
    send(recordId);
    expect(await close(recordId)).toMatchObject({ status: "SUCCESS" });
    expect(overview(recordId)).toMatchObject({
      planned: 1,
      success: 1,
      skip: 1,
      failed: 0,
    });
  });

  test("a drain plans 1,000 files per transaction, 10,000 in all, and leaves the rest to the next drain", async () => {
    const { uploadAll, drain, grow, planned, send, close } = follow();
    const files = Array.from({ length: 12_000 }, (_, at): [string, string] => [
      `/f${at}`,
      "x",
    ]);
    for (let at = 0; at < files.length; at += 1_000)
      uploadAll(files.slice(at, at + 1_000));
    const { recordId, more } = drain();
    expect([planned(recordId).length, more]).toEqual([1_000, true]);
    for (let pages = 1; pages < 10; pages += 1)
      expect(grow(recordId)).toMatchObject({ more: true, full: false });
    expect(planned(recordId)).toHaveLength(10_000);
    expect(grow(recordId)).toEqual({ targets: [], more: false, full: true });
    while (send(recordId).length > 0);
    expect(await close(recordId)).toMatchObject({ planned: 10_000, success: 10_000 });
    expect(planned(drain().recordId)[0]).toBe("/f10000");
  });

  test("a request for a drain returns the running drain if there is one", () => {
    const { upload, drain } = follow();
    upload("/a");
    const { recordId } = drain();
    expect(drain()).toMatchObject({ recordId, targets: null, plan: false });
  });

  test("a drain to a cluster that cannot receive files fails with that reason and is not repeated", async () => {
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

describe("uploads during a drain", () => {
  test("a drain also sends files that are uploaded or changed while it runs", async () => {
    const { upload, uploadAll, drain, grow, send, take, close, overview, begin } = follow(
      {
        objects: [FILES, { ...FILES, localRepoName: "more" }],
      },
    );
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
    for (const { report } of [again, rest].flatMap((one) => one ?? []))
      report(() => SENT);
    expect(send(recordId, () => SENT, 1)).toEqual(["/c"]);
    expect(await close(recordId)).toMatchObject({
      status: "SUCCESS",
      planned: 3,
      success: 3,
    });
    expect(overview(recordId)).toMatchObject({ planned: 3, success: 3, notDone: 0 });
    expect(begin()).toEqual(IDLE);
  });

  test("new content of a file that is being sent waits for the next drain, so that it arrives last", async () => {
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

  test("uploads after a change of their task are sent by the next drain", () => {
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
