import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { closed, unique } from "../rigs/runs/run-fixture.ts";
import { startImageRig, type ImageRig } from "../rigs/runs/run-rig.ts";
import { fillRegistry } from "../rigs/runs/run-sources.ts";

/** More images than a worker handles at once. */
const IMAGES = 40;
const CONNECT_MS = 10_000;
const IDLE_MS = 60_000;

let rig: ImageRig;
beforeAll(async () => {
  rig = await startImageRig({ env: { RETRY_WINDOW: "0s" } });
  await fillRegistry(rig.source.url, ["app"], IMAGES);
});
afterAll(() => rig.end());

const run = (name: string, cluster: string) =>
  rig.product.run({
    projectId: rig.projectId,
    objects: [{ localRepoName: "images", repoType: "OCI", remoteProjectId: name }],
    clusters: [cluster],
  });

/**
 * Expects that the run gives up after one wait, and not after one for each image. It has no retry
 * window, so it tries nothing again.
 */
async function givenUp(key: string, wait: number): Promise<string[]> {
  const record = await closed(rig.product, key, wait + 160_000);
  expect(record).toMatchObject({
    status: "FAILED",
    counts: { planned: IMAGES, failed: IMAGES, success: 0, notDone: 0 },
  });
  const details = await rig.product.details(record.id);
  return details.map(({ errorReason }) => errorReason ?? "");
}

describe.concurrent("a registry that never answers", () => {
  test("a registry that accepts connections and stays silent is given up after the idle time", async () => {
    const name = unique("silent");
    rig.target.proxy.fault = ({ path }) =>
      path.startsWith(`/v2/${name}/`) ? { kind: "hang" } : null;
    const key = await run(name, rig.cluster);
    for (const reason of await givenUp(key, IDLE_MS))
      expect(reason).toMatch(
        new RegExp(
          String.raw`image ${name}/app:v\d+: .*/v2/${name}/app/manifests/v\d+ was silent for 60 s`,
        ),
      );
  });

  test("a registry that accepts no connection is given up after the connect time", async () => {
    const server = await startDeafServer();
    try {
      const name = unique("deaf");
      const url = `http://127.0.0.1:${server.port}`;
      const cluster = await rig.product.registry(name, url);
      for (const reason of await givenUp(await run(name, cluster), CONNECT_MS))
        expect(reason).toMatch(/no connection to 127\.0\.0\.1:\d+ in time/);
    } finally {
      server.stop();
    }
  });
});

/**
 * Starts a process that is stopped (SIGSTOP) and whose queue of connections is full, so that new
 * connections get no answer.
 */
async function startDeafServer(): Promise<{ port: number; stop: () => void }> {
  const program =
    `require("net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, function () {` +
    " console.log(this.address().port) })";
  const child = spawn(process.execPath, ["-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(line.toString());
  child.kill("SIGSTOP");
  const fillers = Array.from({ length: 8 }, () =>
    connect(port, "127.0.0.1").on("error", () => undefined),
  );
  // All of them have asked for a connection before Node tells that the first has one.
  await once(fillers[0] ?? child, "connect");
  return {
    port,
    stop: () => {
      for (const filler of fillers) filler.destroy();
      child.kill("SIGKILL");
    },
  };
}
