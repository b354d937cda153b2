import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import {
  type createCleanup,
  openProduct,
  UTC,
  type Product,
} from "../rigs/runs/run-fixture.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";
import { type Clock, openClock } from "./clocks.ts";
import { mountOwnDisk, type OwnDisk } from "./disks.ts";

export type EndName = "first" | "second";
export type End = {
  name: EndName;
  instance: Instance;
  product: Product;
  log: string;
  clock: Clock;
  /** The disk of its data; null: none can be mounted here. */
  disk: OwnDisk | null;
};

/** Space in bytes that the instances keep free on their disks. */
export const RESERVE = 64 * 1024 ** 2;

const QUIET_PORTS = { from: 20_000, count: 10_000 };

/** Returns a free port that the system gives to no client, so that it stays free while its server is away. */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = QUIET_PORTS.from + Math.floor(Math.random() * QUIET_PORTS.count);
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}

/** Starts two instances on one Temporal server, which the first one runs, and two registries: a source and a target. */
export async function startEnds(
  folder: string,
  cleanup: ReturnType<typeof createCleanup>,
): Promise<[End, End, TestRegistry, TestRegistry]> {
  const registry = (...kinds: Parameters<typeof oneOf>) =>
    cleanup.keep(oneOf(...kinds), (one) => one.stop());
  const source = await registry("gcr", "docker-registry");
  const target = await registry("distribution", "docker-registry");
  const start = async (
    name: EndName,
    env: Record<string, string>,
    temporalAddress?: string,
  ): Promise<End> => {
    const log = join(folder, `${name}.log`);
    const clock = openClock(join(folder, `${name}-clock`));
    const disk = mountOwnDisk(name);
    await cleanup.keep(Promise.resolve(disk), async (one) => one?.unmount());
    const dataDir = disk === null ? null : join(disk.folder, "data");
    if (dataDir !== null) mkdirSync(dataDir);
    const options = {
      logFile: log,
      ...(dataDir !== null && { dataDir }),
      env: {
        ...UTC,
        LOG_LEVEL: "warn",
        LOCAL_CLUSTER_NAME: name,
        DISK_RESERVE: String(RESERVE),
        SCRUB_DAYS: "1",
        ...clock.env,
        ...env,
      },
    };
    const instance = await startInstance(
      temporalAddress === undefined
        ? { ...options, embedded: true }
        : { ...options, temporalAddress },
    );
    return { name, instance, product: openProduct(instance), log, clock, disk };
  };
  // The port is fixed, so that the second instance finds the server again after a restart of the first.
  const port = String(await quietPort());
  const first = await start("first", { TEMPORAL_PORT: port });
  return [first, await start("second", {}, `127.0.0.1:${port}`), source, target];
}
