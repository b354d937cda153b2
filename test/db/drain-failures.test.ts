import { afterEach, describe, expect, test } from "vitest";
import { newestEvent } from "../../db/pending/cursors.ts";
import {
  BROKEN,
  CONFLICT,
  createFollowed,
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

describe("a file that fails in a drain", () => {
  test("a file that fails permanently is recorded as FAILED, and no later drain sends it again", async () => {
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

  test("a file that fails for 60 s waits for a later drain, and newer uploads are sent before it", async () => {
    const { upload, exhaust, run, begin, waiting, time, cursor, db, planned, drain } =
      follow();
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

  test("a file that keeps failing is tried again after 5 s, 10 s, 20 s, at most 5 min, until it is sent", async () => {
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
    expect(
      waits.map((wait, at) => Math.abs(wait - Math.min(5 * 2 ** at, 300)) <= 1),
    ).toEqual(waits.map(() => true));
    expect((await run()).closed).toMatchObject({ status: "SUCCESS", planned: 1 });
    expect(waiting()).toEqual([]);
    expect(begin()).toEqual(IDLE);
  });

  test("a file that waits after failures is sent at once when it is uploaded again", async () => {
    const { upload, exhaust, run, begin } = follow();
    upload("/a");
    await exhaust(() => LATER);
    upload("/a");
    expect((await run()).closed).toMatchObject({ status: "SUCCESS", planned: 1 });
    expect(begin()).toMatchObject({ kind: "idle", wait: expect.any(Number) });
  });

  test("a file that waits after failures is dropped when it is deleted or no longer matches its task", async () => {
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
    [
      "failure under errorStrategy FAST_FAIL",
      { errorStrategy: "FAST_FAIL" } as const,
      BROKEN,
    ],
    [
      "conflict under conflictStrategy FAST_FAIL",
      { conflictStrategy: "FAST_FAIL" } as const,
      CONFLICT,
    ],
  ])(
    "a %s ends the drain, and the next drain sends all files except the failed one",
    async (_, setting, failure) => {
      const { uploadAll, drain, take, close, begin, send, planned } = follow({ setting });
      uploadAll(
        Array.from(
          { length: 60 },
          (_value, at) => [`/f${String(at).padStart(2, "0")}`, "x"] as const,
        ),
      );
      const { recordId } = drain();
      const [first] = take(recordId);
      first?.report((path) => (path === "/f10" ? failure : SENT));
      expect(await close(recordId)).toMatchObject({
        status: "FAILED",
        errorReason: expect.stringContaining(
          "stopped at the first failure (FAST_FAIL): /f10",
        ),
      });
      const next = drain();
      expect(planned(next.recordId)).not.toContain("/f10");
      expect(planned(next.recordId)).toContain("/f59");
      while (send(next.recordId).length > 0);
      expect(await close(next.recordId)).toMatchObject({ status: "SUCCESS", failed: 0 });
      expect(begin()).toEqual(IDLE);
    },
  );
});

describe("a cluster that cannot be reached by a drain", () => {
  test("a drain whose cluster is unreachable for 60 s ends, and the next drains begin after 5 s to 5 min", async () => {
    const { upload, exhaust, run, begin, cursor, time, waiting, planned, drain } =
      follow();
    upload("/a", "/b");
    const before = cursor()?.position;
    const waits: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const { closed } = await exhaust(() => UNREACHABLE);
      expect(closed).toMatchObject({
        status: "FAILED",
        errorReason: expect.stringMatching(
          /^the cluster took nothing for 60 s: connection refused/,
        ),
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

  test("a drain to an unreachable cluster ends after 60 s, for any number of files", async () => {
    const { uploadAll, drain, take, time, close } = follow();
    uploadAll(Array.from({ length: 1_000 }, (_, at) => [`/f${at}`, "x"] as const));
    const { recordId } = drain();
    const begun = time.now;
    let stop: string | null = null;
    for (; stop === null; time.now += 10 * SECOND) {
      for (const { report } of take(recordId).slice(0, 1))
        stop ??= report(() => UNREACHABLE);
    }
    expect(time.now - begun).toBeLessThanOrEqual(90 * SECOND);
    expect(await close(recordId)).toMatchObject({ status: "FAILED", errorReason: stop });
  });

  test("an unreachable cluster does not delay the drains of another cluster", async () => {
    const { upload, exhaust, run, begin, cursor, db, clusterIds } = follow({
      clusters: 2,
    });
    const [down = "", up = ""] = clusterIds;
    upload("/a");
    await exhaust(() => UNREACHABLE, down);
    expect((await run(() => SENT, up)).closed).toMatchObject({
      status: "SUCCESS",
      success: 1,
    });
    expect(begin(up)).toEqual(IDLE);
    expect([cursor(up)?.position, cursor(down)?.position]).toEqual([newestEvent(db), 0]);
  });

  test("a cluster that receives some files is not treated as unreachable", async () => {
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
