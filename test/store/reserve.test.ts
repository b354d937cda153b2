import { mkdirSync, readdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { random, sha256 } from "../rigs/api/content-fixture.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";
import {
  createDoorRepositories,
  uploadDoors,
  type Door,
} from "../rigs/transfer/upload-doors.ts";
import { refusedUploads } from "../rigs/runs/metrics-fixture.ts";
import { createGate } from "../rigs/runs/run-fixture.ts";
import { mountDisk } from "../rigs/servers/disk.ts";

const MIB = 1024 ** 2;
const RESERVE = 16 * MIB;
const CONTENT = MIB / 2;

const disk = mountDisk("the reserve of a disk is not tested", 64);
const free = () => {
  const { bavail, bsize } = statfsSync(disk?.folder ?? "/");
  return bavail * bsize;
};

describe.skipIf(disk === null)("a disk with a reserve", () => {
  let api: Awaited<ReturnType<typeof startApi>>;
  let doors: Door[];
  beforeAll(async () => {
    const directory = join(disk?.folder ?? "", "data");
    mkdirSync(directory);
    api = await startApi({}, directory, { diskReserve: RESERVE });
    await createDoorRepositories(api);
    doors = uploadDoors(api);
  });
  afterEach(() => disk?.empty());
  afterAll(async () => {
    await api.close();
    disk?.unmount();
  });

  /** Fills the disk until `bytes` are free, and waits until the store has seen that. */
  async function fill(bytes: number): Promise<void> {
    disk?.fill(bytes);
    await expect
      .poll(async () => (await api.deps.store.disk()).free)
      .toBeLessThanOrEqual(bytes);
  }
  const put = (name: string, bytes: Buffer) =>
    send(
      api.port,
      "PUT",
      `/generic/demo/files/${name}`,
      { "content-length": bytes.length, "x-bkrepo-overwrite": "true" },
      [bytes],
    );

  test("takes contents at every door above it, and at each refuses with 507 what would touch it", async () => {
    for (const door of doors) {
      const taken = await door.put(random(CONTENT));
      expect([door.name, taken.status < 300, taken.said]).toEqual([
        door.name,
        true,
        taken.said,
      ]);
    }
    await fill(RESERVE + CONTENT / 2);
    const before = free();
    for (const door of doors) {
      const refused = await door.put(random(CONTENT));
      expect([door.name, refused.status, refused.said]).toEqual([
        door.name,
        507,
        expect.stringMatching(/DISK_RESERVE.*collect/),
      ]);
    }
    expect(before - free()).toBeLessThan(CONTENT / 2);
    disk?.empty();
    for (const door of doors)
      expect([door.name, (await door.put(random(CONTENT))).status < 300]).toEqual([
        door.name,
        true,
      ]);
  });

  test("answers in the form of each protocol", async () => {
    await fill(RESERVE / 2);
    const bodies = new Map<string, unknown>();
    for (const door of doors) {
      const { said } = await door.put(random(CONTENT));
      bodies.set(door.name, said.startsWith("{") ? JSON.parse(said) : said);
    }
    const told = expect.stringMatching(/DISK_RESERVE/);
    const envelope = { code: 250102, message: told };
    const oci = { errors: [{ code: "BLOB_UPLOAD_INVALID", message: told }] };
    expect([...bodies.values()]).toMatchObject([
      envelope,
      told,
      { error: told, reason: "insufficient_storage" },
      oci,
      oci,
      oci,
      envelope,
      envelope,
      envelope,
      envelope,
    ]);
  });

  test("refuses even the smallest upload once it is touched; reads, deletes and the databases go on", async () => {
    const small = random(100);
    expect((await put("small", small)).status).toBe(200);
    await fill(RESERVE / 2);
    expect((await put("small-2", small)).status).toBe(507);
    expect((await put("small", small)).status).toBe(507);
    const read = await send(api.port, "GET", "/generic/demo/files/small");
    expect(sha256(read.body)).toBe(sha256(small));
    const made = await api.call("POST", "/repository/api/project/create", {
      body: { name: "another", displayName: "Another" },
    });
    expect(made.code).toBe(0);
    const gone = await send(api.port, "DELETE", "/generic/demo/files/small");
    expect(gone.status).toBe(200);
    const problems = await api.call("GET", "/replication/api/system/problems");
    expect(problems.data).toMatchObject([
      {
        alert: "DiskLow",
        severity: "critical",
        message: expect.stringMatching(/less than the 16 MiB of DISK_RESERVE/),
      },
    ]);
    expect((await send(api.port, "GET", "/health/ready")).status).toBe(200);
    const metrics = await send(api.port, "GET", "/metrics");
    expect(metrics.body.toString()).toMatch(
      new RegExp(`^replication_disk_reserve_bytes ${RESERVE}$`, "m"),
    );
  });

  test("keeps the room of an upload under way, whose length was announced, from others", async () => {
    const [large, other] = [random(8 * MIB), random(8 * MIB)];
    await fill(RESERVE + 12 * MIB);
    const gate = createGate();
    async function* slowly() {
      yield large.subarray(0, MIB);
      await gate.until;
      yield large.subarray(MIB);
    }
    const first = send(
      api.port,
      "PUT",
      "/generic/demo/files/large",
      { "content-length": large.length },
      slowly(),
    );
    const staging = join(disk?.folder ?? "", "data", "blobs", "staging");
    await expect
      .poll(() => readdirSync(staging).filter((name) => name.startsWith("u-")))
      .toHaveLength(1);
    const refused = await put("other", other);
    expect(refused.json.message).toMatch(/uploads under way take [78] MiB/);
    gate.letGo();
    expect((await first).status).toBe(200);
    expect((await put("other", other)).status).toBe(507);
    disk?.empty();
    expect((await put("other", other)).status).toBe(200);
  });

  test("cuts off an upload that did not announce its length once it would be touched", async () => {
    await fill(RESERVE + 4 * MIB);
    const before = free();
    const pieces = Array.from({ length: 64 }, () => random(MIB / 4));
    const answer = await send(
      api.port,
      "PUT",
      "/generic/demo/files/endless",
      { "transfer-encoding": "chunked" },
      pieces,
    );
    expect([answer.status, answer.json.code]).toEqual([507, 250102]);
    await expect.poll(() => before - free()).toBeLessThan(MIB / 2);
    expect(free()).toBeGreaterThanOrEqual(RESERVE);
  });

  test("counts the uploads that it refuses at every door", async () => {
    await fill(RESERVE + CONTENT / 2);
    const before = await refusedUploads(api, "disk");
    for (const door of doors) await door.put(random(CONTENT));
    await expect.poll(() => refusedUploads(api, "disk")).toBe(before + doors.length);
  });
});
