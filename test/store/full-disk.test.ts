import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { random, sha256 } from "../rigs/api/content-fixture.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";
import { mountDisk } from "../rigs/servers/disk.ts";

const MIB = 1024 * 1024;

const disk = mountDisk("a full disk is not tested", 16);
afterAll(() => disk?.unmount());

test.skipIf(disk === null)(
  "a full disk is reported to the uploader and damages no file, and uploads succeed once it has space",
  async () => {
    const directory = join(disk?.folder ?? "", "data");
    mkdirSync(directory);
    const api = await startApi({}, directory);
    const put = async (name: string, bytes: Buffer) =>
      send(
        api.port,
        "PUT",
        `/generic/demo/files/${name}`,
        { "content-length": bytes.length },
        [bytes],
      );
    const get = async (name: string) =>
      sha256((await send(api.port, "GET", `/generic/demo/files/${name}`)).body);
    const [large, small] = [random(2 * MIB), random(1000)];
    expect((await put("large", large)).status).toBe(200);
    expect((await put("small", small)).status).toBe(200);

    disk?.fill(MIB);
    const refused = await put("too-large", random(4 * MIB));
    expect([refused.status, refused.json.code, refused.json.message]).toEqual([
      507,
      250102,
      expect.stringContaining("full"),
    ]);
    disk?.fill(0);
    const statuses = [];
    for (let i = 0; i < 20; i += 1)
      statuses.push((await put(`small-${i}`, random(16_000))).status);
    expect(new Set(statuses.filter((status) => status !== 200))).toEqual(new Set([507]));

    expect([await get("large"), await get("small")]).toEqual([
      sha256(large),
      sha256(small),
    ]);
    for (const [i, status] of statuses.entries())
      expect(
        (await send(api.port, "HEAD", `/generic/demo/files/small-${i}`)).status,
      ).toBe(status === 200 ? 200 : 404);
    disk?.empty();
    expect((await put("too-large", large)).status).toBe(200);
    const again = random(500);
    expect((await put("again", again)).status).toBe(200);
    expect(await get("again")).toBe(sha256(again));
    await api.close();
  },
);
