import { createHash } from "node:crypto";
import { createInstanceClient } from "../../activities/registries/instance/client.ts";
import { quietHooks } from "../rigs/transfer/instance-fixture.ts";
import type { TaskObject } from "../rigs/runs/run-fixture.ts";
import { PROJECT, type World } from "./world.ts";

const REPOSITORIES = 4;
const FILES = 100;
const HUGE = 4_000;
const STATED_AT_ONCE = 1_000;

/** A run of a round, and how many details its record must have. */
export type RoundRun = {
  name: string;
  task: string;
  details: number;
  /** Set once it was executed again, because a full disk had refused some of it. */
  again?: true;
};

/**
 * Prepares the load that makes fairness hard: repositories for many slow clusters, and a huge one for a healthy
 * cluster.
 */
export async function prepareCrowd(world: World): Promise<void> {
  for (let at = 0; at < REPOSITORIES; at += 1)
    await fill(world, `crowd-${at}`, texts(`crowd-${at}`, FILES));
  await fill(world, "huge", texts("huge", HUGE));
}

/** Starts a run to all slow clusters, and one of the huge repository to the round's own target. */
export async function startCrowd(
  { product, clusters }: World,
  round: string,
): Promise<RoundRun[]> {
  const objects = Array.from({ length: REPOSITORIES }, (_, at): TaskObject => ({
    localRepoName: `crowd-${at}`,
    repoType: "GENERIC",
    remoteRepoName: `${round}-crowd-${at}`,
  }));
  const crowd = await product.run({
    projectId: PROJECT,
    objects,
    clusters: clusters.crowd,
  });
  const huge = await product.run({
    projectId: PROJECT,
    objects: [
      { localRepoName: "huge", repoType: "GENERIC", remoteRepoName: `${round}-huge` },
    ],
    clusters: [clusters.direct],
  });
  return [
    { name: "crowd", task: crowd, details: REPOSITORIES * FILES * clusters.crowd.length },
    { name: "huge", task: huge, details: HUGE },
  ];
}

/** The repositories that a round's crowd creates at the target: name and number of files. */
export const crowdTargets = (round: string): [string, number][] => [
  ...Array.from({ length: REPOSITORIES }, (_, at): [string, number] => [
    `${round}-crowd-${at}`,
    FILES,
  ]),
  [`${round}-huge`, HUGE],
];

export const pathOf = (at: number): string => `/folder-${at % 20}/file-${at}.txt`;

const texts = (repoName: string, count: number) =>
  Array.from({ length: count }, (_, at) => Buffer.from(`${repoName} ${at}`));

/** Puts files into a new repository of the first instance; the path of one is `pathOf` its number. */
export async function fill(
  { ends, product }: World,
  repoName: string,
  all: readonly Buffer[],
): Promise<void> {
  await product.hosted(PROJECT, repoName);
  const { url, username, password } = ends.first.instance;
  const client = createInstanceClient({ url, username, password });
  const hooks = quietHooks();
  for (let from = 0; from < all.length; from += STATED_AT_ONCE) {
    const contents = all.slice(from, from + STATED_AT_ONCE);
    const now = Date.now();
    const files = contents.map((content, at) => ({
      path: pathOf(from + at),
      size: content.length,
      sha256: createHash("sha256").update(content).digest("hex"),
      metadata: {},
      attached: true,
      createdBy: "soak",
      createdDate: now,
      lastModifiedBy: "soak",
      lastModifiedDate: now,
    }));
    await client.sendFiles(
      { projectId: PROJECT, repoName },
      { type: "GENERIC", conflictStrategy: "SKIP", includeMetadata: true, files },
      contents,
      hooks,
    );
  }
  await client.close();
}
