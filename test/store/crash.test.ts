import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createHousekeeping } from "../../api/upkeep/housekeeping.ts";
import { openContent, random, sha256 } from "../rigs/api/content-fixture.ts";
import { forkApi, send } from "../rigs/api/socket-fixture.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "crash-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const SIZES = [10, 4_000, 16_384, 16_385, 100_000, 3_000_000];
const UPLOADERS = 6;
const KILLS = 4;

/** Returns a random generator (mulberry32) that gives the same sequence for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 50_000) yield bytes.subarray(at, at + 50_000);
}

/** Uploads files until the server is killed, and returns path and digest of each upload that was acknowledged. */
async function upload(
  port: number,
  prefix: string,
  onAcknowledged: () => void = () => undefined,
): Promise<[string, string][]> {
  const acknowledged: [string, string][] = [];
  for (let i = 0; ; i += 1) {
    const bytes = random(SIZES[i % SIZES.length] ?? 0);
    const path = `/generic/demo/files/${prefix}/${i}`;
    const answer = await send(port, "PUT", path, {}, pieces(bytes)).catch(() => null);
    if (answer?.status !== 200) return acknowledged;
    acknowledged.push([path, sha256(bytes)]);
    onAcknowledged();
  }
}

/** Starts uploaders, and resolves to them once the first upload of any of them is acknowledged. */
async function startUploads(port: number, prefix: string) {
  const warm = new EventTarget();
  const isWarm = new Promise((resolve) =>
    warm.addEventListener("acknowledged", resolve, { once: true }),
  );
  const uploads = Array.from({ length: UPLOADERS }, (_, i) =>
    upload(
      port,
      `${prefix}-${i}`,
      () => void warm.dispatchEvent(new Event("acknowledged")),
    ),
  );
  await isWarm;
  return uploads;
}

test("uploads acknowledged before a kill of the server are complete, and no file is half-written", async () => {
  const seed = Date.now() % 1_000_000;
  console.log(`seed of the kills: ${seed}`);
  const chance = seeded(seed);
  const acknowledged: [string, string][] = [];
  for (let round = 0; round < KILLS; round += 1) {
    const server = await forkApi(directory);
    const uploads = await startUploads(server.port, String(round));
    await new Promise((resolve) => setTimeout(resolve, 200 + chance() * 800));
    await server.kill();
    acknowledged.push(...(await Promise.all(uploads)).flat());
  }
  console.log(`${acknowledged.length} uploads were acknowledged before ${KILLS} kills`);
  expect(acknowledged.length).toBeGreaterThan(UPLOADERS);

  const server = await forkApi(directory);
  expect(readdirSync(join(directory, "blobs", "staging"))).toEqual([]);
  for (const [path, digest] of acknowledged)
    expect(sha256((await send(server.port, "GET", path)).body)).toBe(digest);
  const page = await send(
    server.port,
    "GET",
    "/repository/api/node/page/demo/files/?deep=true&includeFolder=false&pageSize=1000",
  );
  const { records } = page.json.data as {
    records: { fullPath: string; sha256: string; size: number }[];
  };
  expect(records.length).toBeGreaterThanOrEqual(Math.min(acknowledged.length, 1000));
  for (const record of records) {
    const { body } = await send(
      server.port,
      "GET",
      `/generic/demo/files${record.fullPath}`,
    );
    expect([body.length, sha256(body)]).toEqual([record.size, record.sha256]);
  }
  await server.kill();
}, 180_000);

test("content that a killed server had stored but not registered is found and removed", async () => {
  const server = await forkApi(directory);
  const uploads = await startUploads(server.port, "killed");
  await server.kill();
  await Promise.all(uploads);
  const { db, store, close } = openContent(directory);
  await createHousekeeping({ db, store, now: Date.now, logger: console }).reconcile();
  const rows = db.$client
    .prepare("SELECT sha256 FROM blob ORDER BY sha256")
    .pluck()
    .all();
  const prefixes = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
  const kept = (await Promise.all(prefixes.map((prefix) => store.digests(prefix))))
    .flat()
    .sort();
  expect(rows.length).toBeGreaterThan(0);
  expect(kept).toEqual(rows);
  close();
}, 120_000);
