import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../rigs/runs/run-fixture.ts";
import { fill, pathOf } from "./load-crowd.ts";
import { PROJECT, type World } from "./world.ts";

/** A repository that nobody changes at both ends: its contents are damaged, and must be repaired. */
export type Kept = {
  name: string;
  /** Sends the repository from the first end to the second. */
  task: string;
  /** Path of each content, by sha256. */
  paths: ReadonlyMap<string, string>;
  bytesOf: (sha256: string) => Buffer;
};

const NAME = "kept";
/** So many that the reader of contents, which needs a day for all, comes to the next one within seconds. */
const COUNT = 4_000;
const LARGE = 20_000;

/** Every tenth content is too large to lie in the database. */
function contentOf(at: number): Buffer {
  const text = `kept ${at}\n`;
  return at % 10 === 0 ? Buffer.alloc(LARGE, text) : Buffer.from(text);
}

export async function prepareKept(world: World): Promise<Kept> {
  const { product, clusters } = world;
  const contents = Array.from({ length: COUNT }, (_, at) => contentOf(at));
  await fill(world, NAME, contents);
  const numbers = new Map(contents.map((bytes, at) => [sha256(bytes), at]));
  const task = await product.run({
    projectId: PROJECT,
    objects: [{ localRepoName: NAME, repoType: "GENERIC" }],
    clusters: [clusters.direct],
  });
  while ((await product.newestRecord(task))?.status === "RUNNING") await sleep(100);
  return {
    name: NAME,
    task,
    paths: new Map([...numbers].map(([digest, at]) => [digest, pathOf(at)])),
    bytesOf: (digest) => contentOf(numbers.get(digest) ?? 0),
  };
}
