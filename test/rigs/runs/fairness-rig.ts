import { setTimeout as sleep } from "node:timers/promises";
import { startInstance, type Instance } from "./instance.ts";
import {
  createCleanup,
  createGate,
  openProduct,
  sha256,
  unique,
  until,
  UTC,
  type Product,
  type TaskDraft,
  type TaskObject,
} from "./run-fixture.ts";
import { oneOf } from "./run-rig.ts";
import { each, fillRegistry } from "./run-sources.ts";
import { startProxy, type FaultProxy } from "../servers/proxy.ts";
import type { TestRegistry } from "../servers/registries.ts";

/** Number of hosted repositories that a crowd sends, and of files in each. */
export const REPOSITORIES = 10;
export const FILES = 200;
/** Number of images in each linked repository that a crowd sends. */
export const IMAGES = 100;
/** Time limit of small work in ms: far longer than it takes, so only a failing test waits this long. */
const SMALL_WITHIN_MS = 180_000;
/**
 * The product has its maximum of requests open once this many looks in a row found no new maximum,
 * although batches end and begin all the time.
 */
const SETTLED_LOOKS = 10;
const LOOK_MS = 500;

export const PROJECT = "crowd";
export const repositories: TaskObject[] = Array.from(
  { length: REPOSITORIES },
  (_, at) => ({
    localRepoName: `files-${at}`,
    repoType: "GENERIC",
  }),
);

export type FairRig = {
  center: Instance;
  product: Product;
  partner: Product;
  edge: Instance;
  /** A cluster that works normally: the second instance. */
  edgeCluster: string;
  registryCluster: string;
  /** The registries behind the working linked source and the working REMOTE cluster. */
  source: TestRegistry;
  target: TestRegistry;
  /** Does one kind of small work, which succeeds on an idle system; rejects if it fails or takes too long. */
  small: Record<SmallWork, () => Promise<void>>;
  end: () => Promise<void>;
};
export type SmallWork = "a one-file run" | "a REAL_TIME upload" | "a one-image run";

/**
 * Starts two instances and two registries, with ten file repositories and one image registry as material for a crowd.
 */
export async function startFairRig(): Promise<FairRig> {
  const cleanup = createCleanup();
  const env = { ...UTC, LOG_LEVEL: "warn" };
  const start = (more: Record<string, string>) =>
    cleanup.keep(startInstance({ env: { ...env, ...more } }), (one) => one.remove());
  const registry = (...kinds: Parameters<typeof oneOf>) =>
    cleanup.keep(oneOf(...kinds), (one) => one.stop());
  try {
    const [center, edge, source, target] = await Promise.all([
      start({}),
      start({ LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "1" }),
      registry("gcr", "docker-registry"),
      registry("distribution", "docker-registry"),
    ]);
    const product = openProduct(center);
    await product.project(PROJECT);
    await fillRegistry(source.url, ["crowd/app"], IMAGES);
    await each(repositories, 2, async ({ localRepoName }) => {
      await product.hosted(PROJECT, localRepoName);
      const files = Array.from({ length: FILES }, (_, at) => at);
      await each(files, 8, (at) =>
        product.upload(
          PROJECT,
          localRepoName,
          `/file-${at}.bin`,
          Buffer.from(`${localRepoName} ${at}`),
        ),
      );
    });
    const edgeCluster = await product.partner("edge", edge);
    const registryCluster = await product.registry("registry", target.url);
    const partner = openProduct(edge);
    const ends = { product, partner, edgeCluster, registryCluster, source };
    return {
      center,
      edge,
      product,
      partner,
      edgeCluster,
      registryCluster,
      source,
      target,
      small: await smallWork(ends),
      end: cleanup.all,
    };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}

type Ends = Pick<
  FairRig,
  "product" | "partner" | "edgeCluster" | "registryCluster" | "source"
>;

/** Creates tasks for the small work. Each of them has already run once, so that nothing about it is new. */
async function smallWork({
  product,
  partner,
  edgeCluster,
  registryCluster,
  source,
}: Ends): Promise<FairRig["small"]> {
  const project = unique("small");
  await product.project(project);
  for (const name of ["one", "followed"]) await product.hosted(project, name);
  await fillRegistry(source.url, ["small/app"], 1);
  await product.linked(project, "image", source.url);
  let content = 0;
  const upload = async (name: string) => {
    const bytes = Buffer.from(`content ${(content += 1)}`);
    await product.upload(project, name, "/one.bin", bytes, {
      "X-BKREPO-OVERWRITE": "true",
    });
    return bytes;
  };
  const arrived = (name: string, bytes: Buffer) =>
    until(
      `${name}/one.bin arrives`,
      async () =>
        sha256((await partner.download(project, name, "/one.bin")) ?? Buffer.alloc(0)) ===
        sha256(bytes),
      SMALL_WITHIN_MS,
    );
  const ended = async (key: string) => {
    await until(
      `the run of ${key} ends`,
      async () => (await product.newestRecord(key))?.status !== "RUNNING",
      SMALL_WITHIN_MS,
    );
    const record = await product.newestRecord(key);
    if (record?.status !== "SUCCESS")
      throw new Error(`the small run ended ${record?.status}: ${record?.errorReason}`);
  };
  await upload("one");
  const setting = { conflictStrategy: "OVERWRITE" };
  const fileTask = await product.run({
    projectId: project,
    objects: [{ localRepoName: "one", repoType: "GENERIC" }],
    clusters: [edgeCluster],
    setting,
  });
  const constraint = [{ packageKey: "oci://small/app", versions: ["v1"] }];
  const imageDraft: TaskDraft = {
    projectId: project,
    objects: [
      { localRepoName: "image", repoType: "OCI", packageConstraints: constraint },
    ],
    clusters: [registryCluster],
    type: "PACKAGE",
  };
  const imageTask = await product.run(imageDraft);
  await product.run({
    projectId: project,
    objects: [{ localRepoName: "followed", repoType: "GENERIC" }],
    clusters: [edgeCluster],
    replicaType: "REAL_TIME",
    setting,
  });
  await Promise.all([ended(fileTask), ended(imageTask)]);
  const small: FairRig["small"] = {
    "a one-file run": async () => {
      const bytes = await upload("one");
      await product.execute(fileTask);
      await ended(fileTask);
      await arrived("one", bytes);
    },
    "a REAL_TIME upload": async () => arrived("followed", await upload("followed")),
    "a one-image run": async () => {
      await product.execute(imageTask);
      await ended(imageTask);
    },
  };
  await small["a REAL_TIME upload"]();
  return small;
}

export type Held = {
  proxy: FaultProxy;
  letGo: () => void;
  open: () => number;
  settled: () => Promise<number>;
  stop: () => Promise<void>;
};

/**
 * Starts a proxy to `url` that holds every matching request until `letGo` is called, however long that
 * takes.
 */
export async function holdBefore(
  url: string,
  matches: (path: string) => boolean = () => true,
): Promise<Held> {
  const proxy = await startProxy(url);
  const gate = createGate();
  let isOpen = false;
  proxy.fault = ({ path }) =>
    !isOpen && matches(path)
      ? { kind: "hold", until: gate.until, breathing: true }
      : null;
  const open = () =>
    proxy.requests.filter(({ path, closed }) => closed === null && matches(path)).length;
  const letGo = () => {
    isOpen = true;
    gate.letGo();
  };
  return {
    proxy,
    letGo,
    open,
    /** Waits until the product has its maximum of requests open, and returns that number. */
    async settled() {
      await until("requests are held", async () => open() > 0, SMALL_WITHIN_MS);
      let [looks, most] = [0, 0];
      for (; looks < SETTLED_LOOKS; await sleep(LOOK_MS)) {
        looks = open() > most ? 0 : looks + 1;
        most = Math.max(most, open());
      }
      return most;
    },
    stop: async () => {
      letGo();
      await proxy.stop();
    },
  };
}
