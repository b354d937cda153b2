import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quarantineFile } from "../../activities/store/quarantine.ts";
import { layout } from "../../activities/store/layout.ts";
import { createHousekeeping } from "../../api/upkeep/housekeeping.ts";
import { random, sha256 } from "../rigs/api/content-fixture.ts";
import { damageContent, DAMAGES } from "../rigs/api/damage.ts";
import { type Door, startDoors } from "../rigs/transfer/content-doors.ts";

let api: Awaited<ReturnType<typeof startDoors>>;
/** By how much (ms) the clock of the API is ahead, and the number of places that tests have used. */
let [ahead, places] = [0, 0];
/** The files in the quarantine of contents that were repaired. */
const repaired: string[] = [];
beforeAll(async () => {
  api = await startDoors({ now: () => Date.now() + ahead });
});
afterAll(() => api.close());

const NAMES = [
  "an upload that overwrites",
  "a deployment of Maven",
  "a publication of npm",
  "a blob of an image in one request",
  "a blob of an image in chunks",
  "a mount of a blob",
  "a file that another instance declares",
  "an upload of another instance",
  "a version that another instance declares",
];
const SIZES = [5_000, 100_000];
const CASES = NAMES.flatMap((name) =>
  SIZES.flatMap((size) => DAMAGES.map((damage) => [name, size, damage] as const)),
);

const doorOf = (name: string): Door => {
  const found = api.doors(`place${places++}`).find((door) => door.name === name);
  if (!found) throw new Error(`no door ${name}`);
  return found;
};

/** Returns what is said of a content; a survey is at most a second old. */
async function problems(bytes: Buffer): Promise<string[]> {
  ahead += 1_000;
  const { data } = await api.call("GET", "/replication/api/system/problems");
  return (data as { alert: string; message: string }[])
    .filter(({ alert }) => alert === "ContentDamaged")
    .map(({ message }) => message)
    .filter((message) => message.includes(sha256(bytes)));
}

/** Downloads a content; the status is 0 when the connection broke before its end. */
const download = ({ get }: Door, bytes: Buffer) =>
  get(bytes).catch(() => ({ status: 0, bytes: Buffer.alloc(0) }));

test("every door is tried", () => {
  expect(api.doors("none").map(({ name }) => name)).toEqual(NAMES);
});

describe.each(CASES)("%s, %i bytes, %s", (name, size, damage) => {
  /** Whether the damage is seen without reading the content. */
  const isSeen = damage === "no bytes" || damage === "a cut end";

  test("the right bytes that come again replace the wrong ones that nobody has noticed", async () => {
    const door = doorOf(name);
    if (!door.always && !isSeen) return;
    const bytes = random(size);
    expect(await door.push(bytes)).toBeLessThan(300);
    damageContent(api.directory, sha256(bytes), damage);
    await door.push(bytes);
    expect(await download(door, bytes)).toMatchObject({ status: 200, bytes });
    expect(await problems(bytes)).toEqual([]);
  });

  test("a wrong content is not taken for the right one, is asked for again, and is repaired", async () => {
    const door = doorOf(name);
    const bytes = random(size);
    expect(await door.push(bytes)).toBeLessThan(300);
    expect(await door.asks(bytes)).toBe(true);
    damageContent(api.directory, sha256(bytes), damage);
    // The first reader of a large file sees a broken connection, the next one an error.
    const first = await download(door, bytes);
    expect([0, 404, 500]).toContain(first.status);
    const next = await download(door, bytes);
    expect([404, 500]).toContain(next.status);
    expect(next.bytes.toString()).toContain(
      damage === "no bytes" ? "is not in the store" : "is damaged in the store",
    );
    expect(await problems(bytes)).toHaveLength(1);
    const kept = quarantineFile(layout(api.directory), sha256(bytes));
    expect(existsSync(kept)).toBe(damage !== "no bytes");
    expect(await door.asks(bytes)).toBe(false);

    expect(await door.push(bytes)).toBeLessThan(300);
    expect(await download(door, bytes)).toMatchObject({ status: 200, bytes });
    expect(await door.asks(bytes)).toBe(true);
    expect(await problems(bytes)).toEqual([]);
    repaired.push(kept);
  });

  test("a content that is gone or cut is asked for again without anybody having read it", async () => {
    if (!isSeen) return;
    const door = doorOf(name);
    const bytes = random(size);
    await door.push(bytes);
    damageContent(api.directory, sha256(bytes), damage);
    expect(await door.asks(bytes)).toBe(false);
  });
});

test("what is kept of contents that were repaired is removed by housekeeping", async () => {
  expect(repaired.filter((file) => existsSync(file)).length).toBeGreaterThan(0);
  await createHousekeeping(api.deps).run();
  expect(repaired.filter((file) => existsSync(file))).toEqual([]);
});
