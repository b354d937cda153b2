import { setTimeout as sleep } from "node:timers/promises";
import type { Product, RecordInfo } from "../rigs/runs/run-fixture.ts";
import type { Listing } from "../rigs/runs/run-sources.ts";
import type { Followed } from "./load-slots.ts";
import type { RoundRun } from "./load-crowd.ts";
import type { Lied } from "./load-lied.ts";
import { PROJECT, type World } from "./world.ts";

/**
 * Maximum time in ms from the end of the troubles until everything has ended and arrived: retries wait
 * up to 2 minutes, drains up to 5.
 */
const WITHIN_MS = 600_000;
const LOOK_MS = 1_000;

/**
 * Waits until every run of the round has ended and all uploads have arrived; what is missing after `WITHIN_MS` is a
 * violation.
 */
export async function converge(
  world: World,
  runs: readonly RoundRun[],
  { followed, lied }: { followed: readonly Followed[]; lied: readonly Lied[] },
): Promise<void> {
  const { journal, ends } = world;
  const begun = Date.now();
  await Promise.all(
    Object.values(ends).map(({ name, instance }) =>
      instance
        .ready()
        .catch((error: unknown) =>
          journal.violated(
            "everything is ready again",
            `${name}: ${String(error).slice(-400)}`,
          ),
        ),
    ),
  );
  journal.note("everything is ready");
  const waits = [
    ...runs.map((run) =>
      waitFor(world, "every run ends", run.name, () => ended(world, run.task)),
    ),
    ...followed.map((one) =>
      waitFor(world, "uploads arrive at their target", one.name, () =>
        arrived(world, one),
      ),
    ),
    ...lied.map((one) =>
      waitFor(world, "an end that lied is brought right", one.name, righted(world, one)),
    ),
  ];
  await Promise.all(waits);
  journal.note(
    `all has ended and arrived ${((Date.now() - begun) / 1000).toFixed(1)} s after the troubles`,
  );
}

/** Calls `look`, which returns what is still missing, until it returns null. */
async function waitFor(
  { journal }: World,
  rule: string,
  what: string,
  look: () => Promise<string | null>,
): Promise<void> {
  let lacking: string | null = "nothing was answered";
  for (const end = Date.now() + WITHIN_MS; lacking !== null; await sleep(LOOK_MS)) {
    lacking = await look().catch((error: unknown) => String(error));
    if (lacking === null || Date.now() < end) continue;
    return journal.violated(
      rule,
      `${what}: not ${WITHIN_MS / 1000} s after the troubles: ${lacking}`,
    );
  }
}

async function ended({ product }: World, task: string): Promise<string | null> {
  const record = await product.newestRecord(task);
  return record === undefined || record.status === "RUNNING"
    ? `record ${JSON.stringify(record)}`
    : null;
}

/**
 * Compares the target of a followed repository with its contents. A task that is executed by hand needs one more
 * execution when no run was going on.
 */
async function arrived(
  world: World,
  { name, task, contents }: Followed,
): Promise<string | null> {
  const difference = differences(contents, await digestsOf(world.partner, name));
  if (difference !== null && name === "again")
    await world.product.execute(task).catch(() => undefined);
  if (difference !== null) return difference;
  return ended(world, task);
}

/** Returns a look at an end that lied: a run that began after the lies must succeed, and the end must have everything. */
function righted(
  { product }: World,
  { task, wanted, found }: Lied,
): () => Promise<string | null> {
  let before: string | undefined;
  return async () => {
    const record = await product.newestRecord(task);
    if (record === undefined || record.status === "RUNNING") return statusOf(record);
    before ??= record.id;
    const difference = differences(wanted, await found());
    if (record.id !== before && record.status === "SUCCESS" && difference === null)
      return null;
    await product.execute(task).catch(() => undefined);
    return `${statusOf(record)} ${difference ?? ""}`;
  };
}

/** Lists the files of a repository with the sha256 that the instance reports. */
export async function digestsOf(product: Product, repoName: string): Promise<Listing> {
  const listing: Listing = new Map();
  for (let page = 1; ; page += 1) {
    const query = `pageNumber=${page}&pageSize=1000&includeFolder=false&deep=true`;
    const { records } = await product.call<{
      records: { fullPath: string; sha256: string | null }[];
    }>("GET", `/repository/api/node/page/${PROJECT}/${repoName}/?${query}`);
    for (const { fullPath, sha256 } of records) listing.set(fullPath, sha256 ?? "");
    if (records.length < 1_000) return listing;
  }
}

/** Describes how a listing differs from the wanted one; null when they are equal. */
export function differences(
  wanted: ReadonlyMap<string, string>,
  found: ReadonlyMap<string, string>,
): string | null {
  const lost = [...wanted.keys()].filter((key) => !found.has(key));
  const foreign = [...found.keys()].filter((key) => !wanted.has(key));
  const other = [...wanted]
    .filter(([key, digest]) => found.has(key) && found.get(key) !== digest)
    .map(([key]) => key);
  const parts = Object.entries({ lost, foreign, different: other }).filter(
    ([, keys]) => keys.length > 0,
  );
  if (parts.length === 0) return null;
  return parts
    .map(([what, keys]) => `${keys.length} ${what}: ${keys.slice(0, 5).join(", ")}`)
    .join("; ");
}

export const statusOf = (record: RecordInfo | undefined): string =>
  record
    ? `${record.status} ${record.errorReason ?? ""} ${JSON.stringify(record.replicaOverview)}`
    : "no record";
