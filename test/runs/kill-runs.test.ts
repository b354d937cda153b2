import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startInstance, type Instance, type ProcessName } from "../rigs/runs/instance.ts";
import {
  closed,
  createCleanup,
  createGate,
  follow,
  newest,
  openProduct,
  randomOf,
  sha256,
  unique,
  UTC,
  type Product,
} from "../rigs/runs/run-fixture.ts";
import {
  expectWhole,
  filesSentAgain,
  imagesSentAgain,
  listFiles,
  listImages,
  sorted,
} from "../rigs/runs/run-judge.ts";
import { oneOf } from "../rigs/runs/run-rig.ts";
import { fillRegistry, fillRepository, type Listing } from "../rigs/runs/run-sources.ts";
import { startProxy, type FaultProxy } from "../rigs/servers/proxy.ts";
import type { TestRegistry } from "../rigs/servers/registries.ts";

/** Seed of the random moments; the same seed in KILL_SEED repeats a run of the test. */
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const random = randomOf(SEED);
const between = (from: number, to: number) => from + random() * (to - from);

const NAMES = Array.from({ length: 20 }, (_, at) => `team-${at % 3}/app-${at}`);
const TAGS = 15;
/** Minimum durations of the runs in seconds on any machine, enforced by their rate limits. */
const LEAST = { images: 14, files: 8 };
const WITHIN_MS = 300_000;

type Rig = {
  center: Instance;
  edge: Instance;
  product: Product;
  partner: Product;
  target: TestRegistry;
  registryProxy: FaultProxy;
  edgeProxy: FaultProxy;
  images: Listing & { bytes: number };
  registry: string;
  cluster: string;
};
let rig: Rig;
let letGo = () => {};
const cleanup = createCleanup();

beforeAll(async () => {
  console.log(`kill test: KILL_SEED=${SEED}`);
  const env = { ...UTC, LOG_LEVEL: "warn" };
  const [center, edge, source, target] = await Promise.all([
    cleanup.keep(startInstance({ embedded: true, env }), (one) => one.remove()),
    cleanup.keep(startInstance({ env: { ...env, LOCAL_CLUSTER_NAME: "edge" } }), (one) =>
      one.remove(),
    ),
    cleanup.keep(oneOf("gcr", "docker-registry"), (one) => one.stop()),
    cleanup.keep(oneOf("distribution", "docker-registry"), (one) => one.stop()),
  ]);
  const registryProxy = await cleanup.keep(startProxy(target.url), (one) => one.stop());
  const edgeProxy = await cleanup.keep(
    startProxy(edge.url, { keepBodies: (path) => path.includes("/sync/v1/files/") }),
    (one) => one.stop(),
  );
  const product = openProduct(center);
  const images = await fillRegistry(source.url, NAMES, TAGS);
  await product.project("local");
  await product.linked("local", "images", source.url);
  const registry = await product.registry("registry", registryProxy.url);
  const cluster = await product.partner("edge", edge, edgeProxy.url);
  rig = {
    center,
    edge,
    product,
    partner: openProduct(edge),
    target,
    registryProxy,
    edgeProxy,
    images,
    registry,
    cluster,
  };
});

afterEach(() => letGo());
afterAll(cleanup.all);

/** Holds one image and the large files until the returned function is called, so that both runs have work left. */
function holdTheLast(name: string): () => void {
  const gate = createGate();
  const hold = { kind: "hold", until: gate.until, breathing: true } as const;
  const last = `/v2/${name}/${NAMES.at(-1)}/manifests/v${TAGS}`;
  rig.registryProxy.fault = ({ method, path }) =>
    method === "PUT" && path === last ? hold : null;
  rig.edgeProxy.fault = ({ path }) => (path.includes("/sync/v1/uploads") ? hold : null);
  return () => {
    rig.registryProxy.fault = () => null;
    rig.edgeProxy.fault = () => null;
    gate.letGo();
  };
}

type Round = {
  name: string;
  files: Listing;
  imageTask: string;
  fileTask: string;
  moment: string;
};

/**
 * Starts a run of 300 images to the registry and, at a random moment, a run of 602 files to the other
 * instance. Returns while both have sent a part and have work left.
 */
async function untilTheMoment(name: string): Promise<Round> {
  const { product, images, registry, cluster } = rig;
  await product.hosted("local", name);
  const sizes = [
    ...Array.from({ length: 600 }, (_, at) => 2_000 + (at % 5) * 1_000),
    1_500_000,
    1_600_000,
  ];
  const files = await fillRepository(product, "local", name, sizes);
  letGo = holdTheLast(name);
  const share = between(0.02, 0.25);
  const imageTask = await product.run({
    projectId: "local",
    objects: [{ localRepoName: "images", repoType: "OCI", remoteProjectId: name }],
    clusters: [registry],
    setting: { rateLimit: Math.ceil(images.bytes / LEAST.images) },
  });
  await follow(product, imageTask, (run) => run.counts.success >= share * images.size);
  const fileTask = await product.run({
    projectId: "local",
    objects: [{ localRepoName: name, repoType: "GENERIC" }],
    clusters: [cluster],
    setting: { rateLimit: Math.ceil(files.bytes / LEAST.files) },
  });
  await follow(product, fileTask, ({ counts }) => counts.success > 0);
  await sleep(between(0, 1_500));
  const fileRun = await newest(product, fileTask);
  const imageRun = await newest(product, imageTask);
  for (const { status, counts } of [fileRun, imageRun])
    if (status !== "RUNNING" || counts.notDone === 0)
      throw new Error("a run had no work left when its process was to be killed");
  return {
    name,
    files,
    imageTask,
    fileTask,
    moment: `${imageRun.counts.success} of 300 images and ${fileRun.counts.success} of 602 files`,
  };
}

async function judge({ name, files, imageTask, fileTask }: Round): Promise<void> {
  const { product, partner, images, target, registryProxy, edgeProxy } = rig;
  const [imageRun, fileRun] = await Promise.all([
    closed(product, imageTask, WITHIN_MS),
    closed(product, fileTask, WITHIN_MS),
  ]);
  const imageDetails = await expectWhole(product, imageRun, images);
  const fileDetails = await expectWhole(product, fileRun, files);
  expect(sorted(await listImages(target.host, name))).toEqual(sorted(images));
  expect(sorted(await listFiles(partner, "local", name, sha256))).toEqual(sorted(files));
  expect(imagesSentAgain(registryProxy.requests, name, imageDetails)).toEqual([]);
  expect(filesSentAgain(edgeProxy.requests, `local/${name}`, fileDetails)).toEqual([]);
}

describe("runs of 300 images and 602 files with a SIGKILL", () => {
  const victims: Record<string, () => Promise<void>> = {
    control: () => kill("control"),
    orchestrator: () => kill("orchestrator"),
    temporal: () => kill("temporal"),
    registry: async () => {
      await rig.target.kill();
      await sleep(between(2_000, 4_000));
      await rig.target.restart();
    },
    partner: async () => void (await rig.edge.kill("control")),
    worker: () => kill("worker"),
    supervisor: async () => {
      await kill("supervisor");
      await rig.center.restart();
    },
  };

  test.each(Object.keys(victims))(
    "a run of images and a run of files end complete after a SIGKILL of the %s, and send nothing twice",
    { timeout: 4 * WITHIN_MS },
    async (victim) => {
      await rig.center.ready();
      const round = await untilTheMoment(unique(`${victim}-`));
      const begun = Date.now();
      await victims[victim]?.();
      letGo();
      await expect(judge(round)).resolves.toBeUndefined();
      console.log(
        `killed ${victim} after ${round.moment}; both runs ended ${((Date.now() - begun) / 1000).toFixed(1)} s later`,
      );
    },
  );
});

const kill = async (name: ProcessName) => void (await rig.center.kill(name));
