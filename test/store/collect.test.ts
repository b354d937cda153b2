import { mkdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { createHousekeeping } from "../../api/upkeep/housekeeping.ts";
import { random, sha256 } from "../rigs/api/content-fixture.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";
import { uploadDoors } from "../rigs/transfer/upload-doors.ts";
import { mountDisk } from "../rigs/servers/disk.ts";

const MIB = 1024 ** 2;
const MINUTE = 60_000;
const [NONE, NOW] = [{ contents: 0, bytes: 0 }, Date.UTC(2030, 0, 1)];

const disk = mountDisk("a collection under pressure is not tested", 64);
afterAll(() => disk?.unmount());

let now: number;
let api: Awaited<ReturnType<typeof startApi>>;
async function start(directory?: string, diskReserve = 0): Promise<void> {
  now = NOW;
  api = await startApi({ now: () => now }, directory, { diskReserve });
}
beforeEach(() => start());
afterEach(() => api.close());

const path = (name: string) => `/generic/demo/files/${name}`;
const put = (name: string, bytes: Buffer) =>
  send(
    api.port,
    "PUT",
    path(name),
    { "content-length": bytes.length, "x-bkrepo-overwrite": "true" },
    [bytes],
  );
const drop = (name: string) => send(api.port, "DELETE", path(name));
const collect = async (method = "POST") =>
  (await api.call(method, "/repository/api/store/collect")).data as Record<
    string,
    unknown
  >;

test("a collection frees what no file uses for 5 minutes, and says what is freed and what waits", async () => {
  expect(await collect("GET")).toBe(null);
  const kept = random(MIB);
  for (const [name, bytes] of Object.entries({
    large: random(MIB),
    small: random(50),
    kept,
  }))
    expect((await put(name, bytes)).status).toBe(200);
  await drop("large");
  await drop("small");
  expect(await collect()).toMatchObject({
    state: "DONE",
    freed: NONE,
    reusable: NONE,
    waiting: { contents: 2, bytes: MIB + 50 },
  });
  now += 6 * MINUTE;
  const done = {
    state: "DONE",
    reason: null,
    freed: { contents: 1, bytes: MIB },
    reusable: { contents: 1, bytes: 50 },
    waiting: NONE,
  };
  expect(await collect()).toMatchObject(done);
  expect(await collect("GET")).toMatchObject(done);
  expect(await collect()).toMatchObject({ freed: NONE, reusable: NONE });
  expect(sha256((await send(api.port, "GET", path("kept"))).body)).toBe(sha256(kept));
});

test("a collection takes nothing from uploads: what it removes of a sender's contents is asked for again", async () => {
  const content = random(MIB);
  expect((await put("once", content)).status).toBe(200);
  await drop("once");
  now += 6 * MINUTE;
  const files = uploadDoors(api).find(({ name }) => name.startsWith("files that"));
  const uploads = Array.from({ length: 20 }, (_, i) => put(`new-${i}`, random(100_000)));
  const [answers] = await Promise.all([Promise.all(uploads), collect(), collect()]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  for (let i = 0; i < 20; i += 1)
    expect((await send(api.port, "GET", path(`new-${i}`))).status).toBe(200);
  expect((await files?.declare?.(MIB))?.said).toMatch(/"result":"need"/);
  expect((await files?.put(content))?.said).toMatch(/"result":"made"/);
});

test.skipIf(disk === null)(
  "a disk with less free than its reserve is collected sooner, and then takes uploads again",
  async () => {
    await api.close();
    const directory = join(disk?.folder ?? "", "data");
    mkdirSync(directory);
    await start(directory, 16 * MIB);
    const free = () => statfsSync(directory).bavail * statfsSync(directory).bsize;
    const warnings: string[] = [];
    const keeping = createHousekeeping({
      ...api.deps,
      logger: {
        ...api.deps.logger,
        error: (facts) => expect(facts).toBeNull(),
        warn: (_, message) => void warnings.push(message),
      },
    });
    for (let i = 0; i < 8; i += 1) await put(`${i}`, random(4 * MIB));
    disk?.fill(15 * MIB);
    await expect.poll(async () => (await put("more", random(1000))).status).toBe(507);
    for (let i = 0; i < 8; i += 1) expect((await drop(`${i}`)).status).toBe(200);
    now += 6 * MINUTE;
    await keeping.relieve();
    expect(warnings).toEqual([expect.stringContaining("DISK_RESERVE")]);
    expect(free()).toBeGreaterThan(40 * MIB);
    expect((await put("more", random(MIB))).status).toBe(200);
    await keeping.relieve();
    expect(warnings).toHaveLength(1);
  },
);
