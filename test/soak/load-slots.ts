import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256, type TaskDraft } from "../rigs/runs/run-fixture.ts";
import { PROJECT, type World } from "./world.ts";

/** A repository to which files are uploaded all the time, at a limited number of paths, and the task that sends it. */
export type Followed = {
  name: string;
  task: string;
  /** The sha256 of the last acknowledged content of each path. */
  contents: Map<string, string>;
  /** The sha256 of every content that was ever uploaded to each path. */
  ever: Map<string, Set<string>>;
  /** Stops the uploads; resolves once the upload under way has ended. */
  pause: () => Promise<void>;
  resume: () => void;
};

type Kind = {
  name: string;
  setting?: Record<string, unknown>;
  replicaType?: TaskDraft["replicaType"];
  slots: number;
  everyMs: number;
  executes?: true;
};

/**
 * Sizes of the uploaded files: mostly small, some large enough for a request of their own, a few sent
 * in chunks. An hour of them fits on a disk.
 */
const SIZES = [200, 200, 2_000, 2_000, 30_000, 300_000, 1_500_000];
const OVERWRITE = { conflictStrategy: "OVERWRITE" };
const CRON = {
  ...OVERWRITE,
  executionStrategy: "CRON_EXPRESSION",
  executionPlan: { executeImmediately: false, cronExpression: "*/15 * * * * ?" },
};

const KINDS: Kind[] = [
  {
    name: "live",
    replicaType: "REAL_TIME",
    setting: OVERWRITE,
    slots: 300,
    everyMs: 250,
  },
  { name: "cron", setting: CRON, slots: 60, everyMs: 2_000 },
  { name: "again", setting: OVERWRITE, slots: 60, everyMs: 2_000, executes: true },
];

/** Starts the uploads and tasks of all kinds; they go on until the signal fires. */
export async function startSlots(world: World, until: AbortSignal): Promise<Followed[]> {
  return Promise.all(KINDS.map((kind) => startOne(world, kind, until)));
}

async function startOne(world: World, kind: Kind, until: AbortSignal): Promise<Followed> {
  const { product, clusters } = world;
  const { name, setting = {}, replicaType = "SCHEDULED" } = kind;
  await product.hosted(PROJECT, name);
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: name, repoType: "GENERIC" }],
    clusters: [clusters.edge],
    setting,
    replicaType,
  });
  const flow = { paused: false, busy: Promise.resolve() };
  const followed: Followed = {
    name,
    task,
    contents: new Map(),
    ever: new Map(),
    pause: () => {
      flow.paused = true;
      return flow.busy;
    },
    resume: () => void (flow.paused = false),
  };
  void uploadAll(world, kind, followed, flow, until);
  if (kind.executes) void executeAll(world, task, flow, until);
  return followed;
}

type Flow = { paused: boolean; busy: Promise<void> };

async function uploadAll(
  world: World,
  { slots, everyMs }: Kind,
  followed: Followed,
  flow: Flow,
  until: AbortSignal,
): Promise<void> {
  const { random } = world;
  for (; !until.aborted; await sleep(everyMs * (0.3 + random()))) {
    if (flow.paused) continue;
    flow.busy = uploadOne(world, followed, slots).catch(() => undefined);
    await flow.busy;
  }
}

/** Uploads bytes until the upload is acknowledged, so that the file's content is known. */
async function uploadOne(
  { journal, product, random }: World,
  { name, contents, ever }: Followed,
  slots: number,
): Promise<void> {
  const path = `/slot-${Math.floor(random() * slots)}.bin`;
  const bytes = randomBytes(SIZES[Math.floor(random() ** 5 * SIZES.length)] ?? 200);
  const digest = sha256(bytes);
  ever.set(path, (ever.get(path) ?? new Set()).add(digest));
  await journal.persist(`the upload of ${name}${path}`, () =>
    product.upload(PROJECT, name, path, bytes, { "X-BKREPO-OVERWRITE": "true" }),
  );
  contents.set(path, digest);
  journal.count(`uploads to ${name}`);
}

/** Executes a task again and again; a refusal because a run is going on is ignored. */
async function executeAll(
  { product, journal }: World,
  task: string,
  flow: Flow,
  until: AbortSignal,
): Promise<void> {
  for (; !until.aborted; await sleep(1_000)) {
    if (flow.paused) continue;
    await product.execute(task).then(
      () => journal.count("executions"),
      () => undefined,
    );
  }
}
