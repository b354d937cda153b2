import { existsSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { layout } from "../../activities/store/layout.ts";
import { haveBlobs } from "../../db/content/blobs.ts";
import { damagedFiles } from "../../db/content/damage.ts";
import { scrubPlace } from "../../db/content/scrub.ts";
import { NOW } from "../rigs/api/content-fixture.ts";
import { damageContent, DAMAGES } from "../rigs/api/damage.ts";
import { contents, createScrubbed, forkScrub } from "../rigs/api/scrub-fixture.ts";
import { randomOf } from "../rigs/runs/run-fixture.ts";

const PERIOD = 30 * 86_400_000;
const COUNT = 400;
const KILLS = 6;
/** The longest random time in ms from the moment at which a damage is found until the kill. */
const LATEST_MS = 30;

/** Seed of the random moments; the same seed in KILL_SEED repeats a run of the test. */
const SEED = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31));

const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach(({ close }) => close()));

test("a scrub that is killed again and again where it finds damage finds all of it, and nothing else", async () => {
  console.log(`kill test: KILL_SEED=${SEED}`);
  const random = randomOf(SEED);
  const made = createScrubbed();
  opened.push(made);
  const digests = (await made.add(...contents(COUNT))).toSorted();
  const bad = digests.filter((_, i) => i % 8 === 3);
  for (const [i, digest] of bad.entries())
    damageContent(made.dataDir, digest, DAMAGES[i % DAMAGES.length] ?? "no bytes");
  const { quarantine } = layout(made.dataDir);
  const inQuarantine = () => (existsSync(quarantine) ? readdirSync(quarantine) : []);
  const strangers = () =>
    [...made.damaged(), ...inQuarantine()].filter((digest) => !bad.includes(digest));
  const noted = () => made.damaged().length + inQuarantine().length;

  let killed = 0;
  for (; killed < KILLS && made.damaged().length < bad.length; killed += 1) {
    const scrub = await forkScrub(made.dataDir);
    const before = noted();
    scrub.begin(PERIOD);
    // A content is noted before it is in the quarantine, so that some kills come between these steps.
    while (noted() === before && !isOver()) await sleep(1);
    await sleep(random() * LATEST_MS);
    await scrub.kill();
    expect(strangers()).toEqual([]);
  }
  expect(killed).toBeGreaterThan(3);

  const last = await forkScrub(made.dataDir);
  await last.advance(PERIOD);
  await last.advance(1);
  await last.kill();
  expect(made.damaged()).toEqual(bad);
  expect(strangers()).toEqual([]);
  expect(damagedFiles(made.db).total).toBe(bad.length);
  const good = digests.filter((digest) => !bad.includes(digest));
  expect(haveBlobs(made.db, digests, NOW)).toEqual(new Set(good));
  for (const digest of good)
    expect(await made.store.custody.examine(digest, async () => undefined)).toBe(null);

  function isOver(): boolean {
    return scrubPlace(made.db, 0).doneDate !== null;
  }
});
