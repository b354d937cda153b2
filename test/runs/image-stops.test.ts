import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  onTestFinished,
  test,
} from "vitest";
import {
  startFilledImageRig,
  type FilledImageRig,
} from "../rigs/runs/filled-image-rig.ts";
import { closed, createGate, follow, newest, unique } from "../rigs/runs/run-fixture.ts";
import { expectWhole, listImages, sorted } from "../rigs/runs/run-judge.ts";

let rig: FilledImageRig;
beforeAll(async () => {
  rig = await startFilledImageRig();
});
afterAll(() => rig.end());
afterEach(() => rig.passAll());

/** How long ending connections may take on a slow machine. */
const SOON_MS = 20_000;
const target = () => rig.target.proxy;

describe("a run of images that is going on", () => {
  /**
   * Holds every request for a manifest below a new namespace `to` of the target, so that a run to it goes on until the
   * requests are released.
   */
  const hold = () => {
    const to = unique("held-");
    const { until, letGo } = createGate();
    onTestFinished(letGo);
    const isHeld = ({ method, path }: { method: string; path: string }) =>
      method === "PUT" && path.startsWith(`/v2/${to}/`) && path.includes("/manifests/v");
    target().fault = (request) => (isHeld(request) ? { kind: "hold", until } : null);
    const held = () => target().requests.filter(isHeld);
    /** Expects that the held requests end soon after `time`, although nobody releases them. */
    const expectEnded = async (time: number) => {
      await expect.poll(() => held().filter(({ closed }) => closed === null)).toEqual([]);
      expect(held().filter(({ closed }) => Number(closed) > time + SOON_MS)).toEqual([]);
    };
    return { to, held, letGo, expectEnded };
  };

  test("stopping a run closes all its connections, and its record says who stopped it", async () => {
    const { to, held, expectEnded } = hold();
    const key = await rig.run({ to });
    await follow(rig.product, key, () => held().length >= 10);
    const asked = Date.now();
    expect(await rig.product.stop(key)).toEqual({ stopped: true });
    const record = await closed(rig.product, key);
    await expectEnded(asked);
    expect(record).toMatchObject({
      status: "FAILED",
      errorReason: `stopped by ${rig.instance.username}`,
    });
    expect(record.counts.notDone + record.counts.failed + record.counts.success).toBe(
      rig.images.size,
    );
    const details = await rig.product.details(record.id);
    const begun = details.filter(({ status }) => status === "FAILED");
    expect(begun.length).toBeGreaterThanOrEqual(10);
    expect(
      begun.every(
        ({ errorReason, endTime }) =>
          errorReason?.startsWith("stopped by admin") && endTime !== null,
      ),
    ).toBe(true);
    expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
    expect(
      [...(await listImages(rig.target.host, to)).keys()].filter((image) =>
        /:v\d+$/.test(image),
      ),
    ).toEqual([]);
    expect(await rig.product.stop(key)).toEqual({ stopped: false });
    target().fault = () => null;
    await rig.product.execute(key);
    await expectWhole(rig.product, await closed(rig.product, key), rig.images);
  });

  test("a running task refuses a second execute, and updating or disabling it does not change its run", async () => {
    const { to, held, letGo } = hold();
    const key = await rig.run({ to });
    await follow(rig.product, key, () => held().length > 0);
    await expect(rig.product.execute(key)).rejects.toThrow(/250303/);
    const { task, objects } = await rig.product.call<{
      task: { name: string };
      objects: object[];
    }>("GET", `/replication/api/task/detail/${key}`);
    await rig.product.call("POST", "/replication/api/task/update", {
      key,
      name: task.name,
      localProjectId: rig.projectId,
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: objects.map((object) => ({
        ...object,
        remoteProjectId: "elsewhere",
      })),
      remoteClusterIds: [rig.cluster],
    });
    await rig.product.toggle(key);
    await rig.product.toggle(key);
    letGo();
    const record = await closed(rig.product, key);
    await expectWhole(rig.product, record, rig.images);
    expect(sorted(await listImages(rig.target.host, to))).toEqual(sorted(rig.images));
    expect((await listImages(rig.target.host, "elsewhere")).size).toBe(0);
    expect(await rig.product.records(key)).toHaveLength(1);
  });

  test("deleting a task ends its run, closes the connections and deletes the records", async () => {
    const { to, held, expectEnded } = hold();
    const key = await rig.run({ to });
    await follow(rig.product, key, () => held().length > 0);
    const { id } = await newest(rig.product, key);
    const asked = Date.now();
    await rig.product.remove(key);
    await expect(rig.product.task(key)).rejects.toThrow(/250310/);
    expect(await rig.product.records(key)).toEqual([]);
    expect(await rig.product.details(id)).toEqual([]);
    await expectEnded(asked);
    await rig.product.remove(key);
  });
});
