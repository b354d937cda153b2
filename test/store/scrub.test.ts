import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { layout } from "../../activities/store/layout.ts";
import { condemn } from "../../api/content/damage.ts";
import { lookAtContents } from "../../api/content/look.ts";
import { createHousekeeping } from "../../api/upkeep/housekeeping.ts";
import { createScrub } from "../../api/upkeep/scrub.ts";
import { haveBlobs } from "../../db/content/blobs.ts";
import { damagedFiles } from "../../db/content/damage.ts";
import { scrubPlace } from "../../db/content/scrub.ts";
import { NOW, random, sha256 } from "../rigs/api/content-fixture.ts";
import { damageContent, DAMAGES } from "../rigs/api/damage.ts";
import { contents, createScrubbed, forkScrub } from "../rigs/api/scrub-fixture.ts";

const DAY = 86_400_000;
const PERIOD = 30 * DAY;

const opened: { close: () => void }[] = [];
afterEach(() => opened.splice(0).forEach(({ close }) => close()));

function content() {
  const made = createScrubbed();
  opened.push(made);
  const { db } = made;
  const have = async (digest: string) => {
    await lookAtContents(made, [digest]);
    return haveBlobs(db, [digest], NOW).has(digest);
  };
  const keeping = () => createHousekeeping(made).run();
  return { ...made, have, keeping };
}

test("a round finds every damaged content, puts it into the quarantine and names its files", async () => {
  const made = content();
  const digests = await made.add(...contents(80));
  const bad = digests.slice(0, 12);
  for (const [i, digest] of bad.entries())
    damageContent(made.dataDir, digest, DAMAGES[i % DAMAGES.length] ?? "no bytes");
  const scrub = createScrub({ ...made, days: 30 });
  await scrub.advance(PERIOD);
  expect(made.damaged()).toEqual(bad.toSorted());
  expect(haveBlobs(made.db, digests, NOW)).toEqual(new Set(digests.slice(12)));
  const { total, named } = damagedFiles(made.db);
  expect(total).toBe(12);
  expect(
    named
      .map(({ files }) => files)
      .flat()
      .toSorted(),
  ).toEqual(bad.map((digest) => `p/r/${digest}`).toSorted());
  for (const [i, digest] of bad.entries())
    expect(existsSync(made.quarantined(digest))).toBe(
      DAMAGES[i % DAMAGES.length] !== "no bytes",
    );
  await scrub.advance(1);
  expect(scrubPlace(made.db, NOW)).toMatchObject({ doneDate: NOW });
});

test("contents are read evenly over the time, and a long pause does not make a burst of all", async () => {
  const made = content();
  const digests = (await made.add(...contents(200))).toSorted();
  for (const digest of digests) damageContent(made.dataDir, digest, "a flipped byte");
  const scrub = createScrub({ ...made, days: 30 });
  for (let step = 0; step < 30; step += 1) await scrub.advance(PERIOD / 60);
  expect(made.damaged().length).toBeGreaterThan(70);
  expect(made.damaged().length).toBeLessThan(140);
  const before = made.damaged().length;
  const late = createScrub({ ...made, now: () => NOW + 10 * PERIOD, days: 30 });
  await late.advance(PERIOD / 100);
  expect(made.damaged().length - before).toBeLessThan(60);
  const early = createScrub({ ...made, now: () => NOW - 10 * PERIOD, days: 30 });
  for (let step = 0; step < 100; step += 1) await early.advance(PERIOD / 60);
  expect(made.damaged()).toEqual(digests);
});

test("a scrub that is killed in the middle goes on where it was", async () => {
  const made = content();
  const digests = (await made.add(...contents(200))).toSorted();
  const bad = digests.filter((_, i) => i % 10 === 0);
  for (const digest of bad) damageContent(made.dataDir, digest, "a flipped byte");
  const first = await forkScrub(made.dataDir);
  await first.advance(PERIOD / 3);
  const { position, roundDate } = scrubPlace(made.db, 0);
  first.begin(PERIOD / 3);
  await first.kill();
  expect(position > "3" && position < "7").toBe(true);
  expect(scrubPlace(made.db, 0).position >= position).toBe(true);
  const found = made.damaged();
  expect(found).toEqual(bad.slice(0, found.length));

  const second = await forkScrub(made.dataDir);
  // Nothing behind the place is read again: what is damaged there now waits for the next round.
  const [behind = ""] = digests.filter((digest) => !bad.includes(digest));
  damageContent(made.dataDir, behind, "a flipped byte");
  await second.advance(PERIOD);
  await second.advance(1);
  await second.kill();
  expect(made.damaged()).toEqual(bad);
  expect(scrubPlace(made.db, 0).roundDate).toBeGreaterThan(roundDate);
});

test("bytes that arrive while the wrong ones are read are not taken for wrong", async () => {
  const made = content();
  for (const bytes of [random(300), random(20_000)]) {
    const [digest = ""] = await made.add(bytes);
    damageContent(made.dataDir, digest, "a flipped byte");
    const seen = await made.store.custody.examine(digest, async () => undefined);
    await made.add(bytes);
    expect(seen && condemn(made, seen)).toBe(false);
    expect(await made.have(digest)).toBe(true);
  }
});

test("contents of a disk that was missing count as present again when it is back", async () => {
  const made = content();
  const digests = await made.add(...contents(20));
  const large = digests.filter((_, i) => i % 4 === 0);
  const { blobs } = layout(made.dataDir);
  renameSync(blobs, `${blobs}.away`);
  await lookAtContents(made, digests);
  expect(made.damaged()).toEqual(large.toSorted());
  renameSync(`${blobs}.away`, blobs);
  await createHousekeeping(made).reconcile();
  await made.keeping();
  expect(made.damaged()).toEqual([]);
  expect(haveBlobs(made.db, digests, NOW)).toEqual(new Set(digests));
});

test("what is right after all leaves the quarantine, and what no file needs is forgotten", async () => {
  const made = content();
  const [kept = "", loose = ""] = await made.add(random(20_000), random(20_001));
  const right = readFileSync(
    join(layout(made.dataDir).blobs, kept.slice(0, 2), kept.slice(2, 4), kept),
  );
  for (const digest of [kept, loose]) {
    damageContent(made.dataDir, digest, "a flipped byte");
    const seen = await made.store.custody.examine(digest, async () => undefined);
    expect(seen && condemn(made, seen)).toBe(true);
    expect(await made.have(digest)).toBe(false);
  }
  expect(sha256(right)).toBe(kept);
  writeFileSync(made.quarantined(kept), right);
  made.db.$client.prepare("DELETE FROM node WHERE sha256 = ?").run(loose);
  await made.keeping();
  expect(made.damaged()).toEqual([]);
  expect([await made.have(kept), await made.have(loose)]).toEqual([true, false]);
  for (const digest of [kept, loose])
    expect(existsSync(made.quarantined(digest))).toBe(false);
});
