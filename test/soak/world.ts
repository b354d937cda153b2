import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCleanup, randomOf, type Product } from "../rigs/runs/run-fixture.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";
import { type End, type EndName, startEnds } from "./ends.ts";
import { createJournal, type Journal } from "./journal.ts";
import { createSignals, type Signals } from "./signals.ts";
import { startElsewhere } from "./elsewhere.ts";
import type { LyingWay } from "./lies.ts";

/** Names of the connections, each with a proxy, on which an end can be made slow, silent or refusing. */
export type WayName = "edge" | "registry" | "source" | "crowd" | LyingWay;

export type World = {
  folder: string;
  journal: Journal;
  /** Random numbers of the load; troubles have their own, so that the same seed gives the same troubles. */
  random: () => number;
  /**
   * The two instances. The first has its own Temporal server and sends to the second, which uses the
   * same server.
   */
  ends: Record<EndName, End>;
  product: Product;
  partner: Product;
  source: TestRegistry;
  target: TestRegistry;
  ways: Record<WayName, FaultProxy>;
  /**
   * Ids of clusters. `direct` leads to the second instance without troubles; `crowd`: many clusters
   * that all lead to one slow end; `liar`, `liarTarget`: an instance and a registry that lie.
   */
  clusters: Record<"edge" | "direct" | "registry" | "liar" | "liarTarget", string> & {
    crowd: string[];
  };
  /** How many lies were told on each connection. */
  lied: Record<LyingWay, number>;
  /** A server to which ends redirect; `logins`: requests that came with a login. */
  elsewhere: Awaited<ReturnType<typeof startElsewhere>>;
  /** The sha256 of the contents that were damaged on purpose at each end. */
  damaged: Record<EndName, Set<string>>;
  signals: Signals;
  remove: (keep: boolean) => Promise<void>;
};

export const PROJECT = "soak";
const CROWD = 10;

/** Starts two instances on one Temporal server, two registries, and a proxy before each end that gets troubles. */
export async function startWorld(seed: number): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "soak-"));
  const journal = createJournal(folder);
  const cleanup = createCleanup();
  try {
    const [first, second, source, target] = await startEnds(folder, cleanup);
    const proxy = (url: string) => cleanup.keep(startProxy(url), (one) => one.stop());
    const ways = {
      edge: await proxy(second.instance.url),
      registry: await proxy(target.url),
      source: await proxy(source.url),
      crowd: await proxy(second.instance.url),
      liar: await proxy(second.instance.url),
      liarTarget: await proxy(target.url),
      liarSource: await proxy(source.url),
      liarNpm: await proxy(second.instance.url),
    };
    const elsewhere = await cleanup.keep(startElsewhere(), (one) => one.stop());
    const { product } = first;
    for (const { product } of [first, second]) await product.project(PROJECT);
    const clusters = await addClusters(product, second, ways);
    const ends = { first, second };
    const signals = createSignals(ends, journal);
    const remove = (keep: boolean) =>
      endWorld({ folder, ends, signals, keep, all: cleanup.all });
    return {
      folder,
      journal,
      random: randomOf(seed + 1),
      ends,
      product,
      partner: second.product,
      source,
      target,
      ways,
      clusters,
      lied: { liar: 0, liarTarget: 0, liarSource: 0, liarNpm: 0 },
      elsewhere,
      damaged: { first: new Set(), second: new Set() },
      signals,
      remove,
    };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}

/** Adds a cluster for each way to an end that is a target. */
async function addClusters(
  product: Product,
  { instance }: End,
  ways: World["ways"],
): Promise<World["clusters"]> {
  const crowd = Array.from({ length: CROWD }, (_, at) =>
    product.partner(`crowd-${at}`, instance, ways.crowd.url),
  );
  return {
    edge: await product.partner("edge", instance, ways.edge.url),
    direct: await product.partner("direct", instance),
    registry: await product.registry("registry", ways.registry.url),
    liar: await product.partner("liar", instance, ways.liar.url),
    liarTarget: await product.registry("liar-target", ways.liarTarget.url, {
      username: "soak",
      password: "a-password-of-the-soak",
    }),
    crowd: await Promise.all(crowd),
  };
}

type Ending = Pick<World, "folder" | "ends" | "signals"> & {
  keep: boolean;
  all: () => Promise<void>;
};

/** Ends everything; `keep`: data and logs stay. */
async function endWorld({
  folder,
  ends: { first, second },
  signals,
  keep,
  all,
}: Ending): Promise<void> {
  signals.thawAll();
  const kept = [folder];
  for (const { name, instance, disk } of [second, first]) {
    if (disk?.isSqueezed() === true) disk.widen();
    await (keep ? instance.stop() : instance.remove()).catch(() => undefined);
    if (!keep) continue;
    // What lies on a disk of its own goes with the disk.
    if (disk !== null) disk.keep(instance.dataDir, join(folder, name));
    else kept.push(instance.dataDir);
  }
  await all();
  if (keep) console.log(`Kept: ${kept.join(" ")}`);
  else rmSync(folder, { recursive: true, force: true });
}
