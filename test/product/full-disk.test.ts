import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, onTestFinished, test } from "vitest";
import { isAlive, startInstance, type ProcessName } from "../rigs/runs/instance.ts";
import {
  closed,
  createCleanup,
  follow,
  openProduct,
  patiently,
  sha256,
  unique,
} from "../rigs/runs/run-fixture.ts";
import { mountDisk } from "../rigs/servers/disk.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import { random } from "../rigs/api/content-fixture.ts";

const MIB = 1024 ** 2;
const disk = mountDisk("processes on a full disk are not tested", 256);
afterAll(() => disk?.unmount());
afterEach(() => disk?.empty());
const folder = (name: string) => mkdtempSync(join(disk?.folder ?? "", name));

/** Starts an instance with its data and its own Temporal on the small disk, and another one elsewhere. */
async function startOnSmallDisk() {
  const cleanup = createCleanup();
  onTestFinished(cleanup.all);
  const instance = await cleanup.keep(
    startInstance({
      embedded: true,
      dataDir: folder("data-"),
      env: { TRANSFER_WORKERS: "1" },
    }),
    (one) => one.remove(),
  );
  const edge = await cleanup.keep(
    startInstance({
      env: { LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "0" },
      neverReady: true,
    }),
    (one) => one.remove(),
  );
  const proxy = await cleanup.keep(startProxy(edge.url), (one) => one.stop());
  const product = openProduct(instance);
  const projectId = unique("p");
  await product.project(projectId);
  await product.hosted(projectId, "files");
  const cluster = await product.partner("edge", edge, proxy.url);
  return { instance, product, partner: openProduct(edge), proxy, projectId, cluster };
}

type OnSmallDisk = Awaited<ReturnType<typeof startOnSmallDisk>>;

/** Kills a process and waits until there is another one in its place. */
async function replaced({ instance }: OnSmallDisk, name: ProcessName): Promise<void> {
  const of = () => {
    const pids = instance.pids();
    return name === "worker" ? pids.workers[0] : pids[name];
  };
  const before = await instance.kill(name);
  await expect
    .poll(() => of() !== before && isAlive(of() ?? 0), { message: name })
    .toBe(true);
}

describe.skipIf(disk === null)("a full disk", () => {
  test("ends no process for good; once there is room, runs go on and no file is lost", async () => {
    const rig = await startOnSmallDisk();
    const { instance, product, projectId, cluster, proxy } = rig;
    const files = new Map(
      Array.from({ length: 12 }, (_, i) => [
        `/${i}.bin`,
        random(i % 2 ? 2 * MIB : 5_000),
      ]),
    );
    for (const [path, bytes] of files)
      await product.upload(projectId, "files", path, bytes);
    proxy.fault = ({ path }) =>
      path.includes("/sync/v1/") ? { kind: "latency", ms: 3_000 } : null;
    const key = await product.run({
      projectId,
      objects: [{ localRepoName: "files", repoType: "GENERIC" }],
      clusters: [cluster],
    });
    await follow(product, key, ({ status }) => status === "RUNNING");

    disk?.fill(0);
    await expect(
      product.upload(projectId, "files", "/more.bin", random(MIB)),
    ).rejects.toThrow(/507 .*250102/);
    const { supervisor } = instance.pids();
    for (const name of ["worker", "orchestrator", "control"] as const)
      await replaced(rig, name);
    const temporal = await instance.kill("temporal");
    // Whether Temporal can start again depends on the room in the files that it has already.
    await expect
      .poll(() => instance.output())
      .toMatch(/temporal ended \(SIGKILL\); starting it again/);
    expect([isAlive(supervisor), isAlive(temporal)]).toEqual([true, false]);
    for (const [path, bytes] of files)
      expect(
        sha256((await product.download(projectId, "files", path)) ?? Buffer.alloc(0)),
      ).toBe(sha256(bytes));

    disk?.empty();
    proxy.fault = () => null;
    await instance.ready();
    expect(instance.pids().supervisor).toBe(supervisor);
    const { status, counts } = await closed(product, key);
    expect([status, counts.planned, counts.success]).toEqual(["SUCCESS", 12, 12]);
    for (const [path, bytes] of files)
      expect(
        sha256((await rig.partner.download(projectId, "files", path)) ?? Buffer.alloc(0)),
      ).toBe(sha256(bytes));
    await product.upload(projectId, "files", "/more.bin", random(MIB));
  });

  test.each(["json", "text"])(
    "under the log ends no process, and the log (LOG_FORMAT=%s) goes on once there is room",
    async (LOG_FORMAT) => {
      const outputFile = join(folder("log-"), "service.log");
      disk?.fill(0);
      const instance = await startInstance({
        outputFile,
        env: { TRANSFER_WORKERS: "1", LOG_FORMAT, LOG_LEVEL: "debug" },
      });
      onTestFinished(() => instance.remove());
      const log = () => readFileSync(outputFile, "utf8");
      const product = openProduct(instance);
      await product.project("demo");
      expect(log()).toBe("");
      for (const name of ["worker", "orchestrator", "control"] as const) {
        await instance.kill(name);
        await instance.ready();
      }

      disk?.empty();
      await patiently(() => product.project("other"));
      await expect.poll(log).toMatch(/could not be written for a time/);
      expect(await instance.stop()).toBe("0");
      expect(log()).toMatch(/Artifact replication|worker is up|Stopped/);
    },
  );
});
