import { join } from "node:path";
import { startInstance, type Instance } from "../rigs/runs/instance.ts";
import {
  type createCleanup,
  openProduct,
  UTC,
  type Product,
} from "../rigs/runs/run-fixture.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import { freePort } from "../rigs/servers/process.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";

export type EndName = "first" | "second";
export type End = { name: EndName; instance: Instance; product: Product; log: string };

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
    const options = {
      logFile: log,
      env: { ...UTC, LOG_LEVEL: "warn", LOCAL_CLUSTER_NAME: name, ...env },
    };
    const instance = await startInstance(
      temporalAddress === undefined
        ? { ...options, embedded: true }
        : { ...options, temporalAddress },
    );
    return { name, instance, product: openProduct(instance), log };
  };
  // The port is fixed, so that the second instance finds the server again after a restart of the first.
  const port = String(await freePort());
  const first = await start("first", { TEMPORAL_PORT: port });
  return [first, await start("second", {}, `127.0.0.1:${port}`), source, target];
}
