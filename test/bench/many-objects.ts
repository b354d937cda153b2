import { readHistories } from "../rigs/runs/run-histories.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { each } from "../rigs/runs/run-sources.ts";
import { type Row, within } from "./measure.ts";
import { type Bench, hosted, runTask } from "./rig.ts";

const OBJECTS = 10_000;
const CLUSTERS = 20;
/** Number of files in every hundredth repository; the other repositories are empty. */
const FILES = 10;
/**
 * Maximum events in a child workflow's history. A child continues as new at the server's limit of
 * 4,096, but ends the batches in its window before.
 */
const MOST_EVENTS = 4_400;

/**
 * Measures a run of a task with the maximum of objects, most of them empty, to twenty clusters, which are all names of
 * the second instance.
 */
export async function manyObjects(bench: Bench): Promise<Row[]> {
  const { product, second, first, say } = bench;
  const names = Array.from({ length: OBJECTS }, (_, at) => `object-${at}`);
  const filled = names.filter((_, at) => at % 100 === 0);
  await each(
    names.filter((_, at) => at % 100 !== 0),
    16,
    (name) => product.hosted("bench", name),
  );
  for (const name of filled)
    await hosted(
      bench,
      name,
      Array.from({ length: FILES }, (_, at) => ({
        path: `/${name}/file-${at}.bin`,
        content: Buffer.from(`${name} ${at}`),
      })),
    );
  const clusters = await Promise.all(
    Array.from({ length: CLUSTERS }, () => product.partner(unique("second-"), second)),
  );
  say(`${OBJECTS} repositories are there`);
  const objects = names.map((localRepoName) => ({
    localRepoName,
    repoType: "GENERIC" as const,
  }));
  const { ms, record } = await runTask(product, { objects, clusters });
  const all = filled.length * FILES * CLUSTERS;
  const { status, replicaOverview: counts } = record;
  if (status !== "SUCCESS" || counts?.success !== all || counts.planned !== all)
    throw new Error(`the run ended ${status}: ${JSON.stringify(record)}`);
  const histories = await readHistories(first.endpoints().temporal, record.workflowId);
  const most = Math.max(
    ...[...histories.values()].map(({ events }) => events?.length ?? 0),
  );
  return [
    within(`${OBJECTS} objects to ${CLUSTERS} clusters`, ms, 300_000),
    {
      work: "the longest history of it",
      ours: `${most} events`,
      peer: "–",
      ratio: "–",
      budget: `≤ ${MOST_EVENTS} events`,
      met: most <= MOST_EVENTS,
    },
  ];
}
