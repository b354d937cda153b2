import { setTimeout as sleep } from "node:timers/promises";
import type { Followed } from "./load-slots.ts";
import type { RoundRun } from "./load-crowd.ts";
import type { Lied } from "./load-lied.ts";
import { differences, digestsOf, lackedRoom, statusOf } from "./listings.ts";
import type { World } from "./world.ts";

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
    ...runs.map(async (run) => {
      const look = () => ended(world, run.task);
      await waitFor(world, "every run ends", run.name, look);
      if (await executedAgain(world, run))
        await waitFor(world, "every run ends", `${run.name} again`, look);
    }),
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

/** Executes a run again that failed only for lack of room at its target; returns whether it did. */
async function executedAgain(
  { product, journal }: World,
  run: RoundRun,
): Promise<boolean> {
  const record = await product.newestRecord(run.task);
  if (record?.status !== "FAILED" || !lackedRoom(await product.details(record.id)))
    return false;
  journal.count("runs that lacked room at their target");
  run.again = true;
  await product.execute(run.task);
  return true;
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

/**
 * Returns a look at an end that lied: a run that began after the lies must succeed, and the end must have
 * everything.
 */
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
