import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { damageContent, DAMAGES } from "../rigs/api/damage.ts";
import type { EndName } from "./ends.ts";
import type { Kept } from "./load-kept.ts";
import { problemsBecome } from "./reports.ts";
import { PROJECT, type World } from "./world.ts";

const PAUSE_MS = 12_000;
const LOOK_MS = 1_000;
/** Time in ms within which the scrub comes to a content that lies before it, when nothing keeps it from reading. */
const READ_WITHIN_MS = 600_000;
const REPAIRED_WITHIN_MS = 600_000;
/** How far before its place the scrub is left alone: more than it reads in one step, of all digests. */
const MARGIN = 0.0002;
const DIGITS = 13;

/**
 * Damages contents at an end one after the other, each where the scrub comes next, until the signal fires. The damage
 * must be found and reported, nobody may get the wrong bytes, and the right bytes repair it.
 */
export async function damageContents(
  world: World,
  kept: Kept,
  end: EndName,
  calm: AbortSignal,
): Promise<void> {
  const { journal, random } = world;
  for (; !calm.aborted; await sleep(PAUSE_MS)) {
    const digest = await damageNext(world, kept, end).catch((error: unknown) => {
      journal.count("damage not made, because the database was busy or away");
      journal.note(`${end}: no damage was made: ${String(error)}`);
      return null;
    });
    if (digest === null) continue;
    if (random() < 0.25) await readWrong(world, kept, end, digest);
    await found(world, kept, end, digest);
    await repaired(world, kept, end, digest);
  }
}

async function damageNext(
  world: World,
  kept: Kept,
  end: EndName,
): Promise<string | null> {
  const { ends, random, damaged, journal } = world;
  const { instance, disk } = ends[end];
  // A full disk cannot even take the wrong bytes.
  if (disk?.isSqueezed() === true) return null;
  // What both ends have lost cannot be repaired by a run.
  const taken = new Set([...world.damaged.first, ...world.damaged.second]);
  const digest = nextToRead(instance.dataDir, kept, taken);
  if (digest === null) return null;
  const damage = DAMAGES[Math.floor(random() * DAMAGES.length)] ?? "no bytes";
  damaged[end].add(digest);
  damageContent(instance.dataDir, digest, damage);
  journal.count(`damaged content: ${damage}`);
  journal.note(`${end}'s ${kept.paths.get(digest)} has ${damage} (${digest})`);
  return digest;
}

/** Returns the kept content that the scrub of a data directory reads next, except those taken; null: none soon. */
function nextToRead(
  dataDir: string,
  { paths }: Kept,
  taken: ReadonlySet<string>,
): string | null {
  const db = new Sqlite(join(dataDir, "replication.db"), { readonly: true });
  try {
    const place =
      db.prepare<[], string>("SELECT position FROM scrub").pluck().get() ?? "";
    const from = Number.parseInt(place.slice(0, DIGITS).padEnd(DIGITS, "0"), 16);
    const least = Math.floor(from + MARGIN * 16 ** DIGITS);
    return (
      db
        .prepare<[string], string>(
          "SELECT sha256 FROM blob WHERE sha256 > ? ORDER BY sha256 LIMIT 50",
        )
        .pluck()
        .all(least.toString(16).padStart(DIGITS, "0"))
        .find((digest) => paths.has(digest) && !taken.has(digest)) ?? null
    );
  } finally {
    db.close();
  }
}

/** Reads a damaged content, which finds the damage before the scrub does; the wrong bytes must not arrive. */
async function readWrong(
  { ends, journal }: World,
  kept: Kept,
  end: EndName,
  digest: string,
): Promise<void> {
  const path = kept.paths.get(digest) ?? "";
  journal.count("damaged content that was read");
  const bytes = await ends[end].product
    .download(PROJECT, kept.name, path)
    .catch(() => null);
  if (bytes !== null)
    journal.violated(
      "damaged content is not served",
      `${end}'s ${path} (${digest}) was served: ${bytes.toString("utf8", 0, 100)}`,
    );
}

async function found(
  world: World,
  kept: Kept,
  end: EndName,
  digest: string,
): Promise<void> {
  const { journal } = world;
  const begun = Date.now();
  const names = await problemsBecome(
    world,
    end,
    (problems) => problems.some(({ message }) => message.includes(digest)),
    READ_WITHIN_MS,
  );
  const seconds = Math.round((Date.now() - begun) / 1000);
  if (names) {
    journal.count("damage found");
    journal.note(`${end} reports the damage of ${digest} after ${seconds} s`);
  } else
    journal.violated(
      "damage is found and reported",
      `${end}'s ${kept.paths.get(digest)} (${digest}): not within ${seconds} s`,
    );
  await readWrong(world, kept, end, digest);
}

/** Repairs a content: at the first end by an upload, at the second by a run of its file from the first. */
async function repaired(
  world: World,
  kept: Kept,
  end: EndName,
  digest: string,
): Promise<void> {
  const { ends, product, journal, clusters } = world;
  const path = kept.paths.get(digest) ?? "";
  const right = kept.bytesOf(digest);
  let task: string | undefined;
  const headers = { "X-BKREPO-OVERWRITE": "true" };
  const repair = async () => {
    if (end === "first") return product.upload(PROJECT, kept.name, path, right, headers);
    if (task !== undefined) return product.execute(task);
    task = await product.run({
      projectId: PROJECT,
      objects: [
        {
          localRepoName: kept.name,
          repoType: "GENERIC",
          pathConstraints: [{ path }],
        },
      ],
      clusters: [clusters.direct],
      type: "PATH",
    });
  };
  for (const until = Date.now() + REPAIRED_WITHIN_MS; ; await sleep(LOOK_MS)) {
    await repair().catch(() => undefined);
    const bytes = await ends[end].product
      .download(PROJECT, kept.name, path)
      .catch(() => null);
    if (bytes?.equals(right) === true) break;
    if (Date.now() < until) continue;
    return journal.violated("damage is repaired", `${end}'s ${path} (${digest})`);
  }
  if (task !== undefined)
    await product.remove(task).catch((error: unknown) => journal.note(String(error)));
  journal.count(`damage repaired by ${end === "first" ? "an upload" : "a run"}`);
  const silent = await problemsBecome(world, end, (problems) =>
    problems.every(({ message }) => !message.includes(digest)),
  );
  if (!silent)
    journal.violated(
      "reports end with their cause",
      `${end}'s ${path} (${digest}) is repaired`,
    );
}
