import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { forkApi } from "../../rigs/api/socket-fixture.ts";
import { mountDisk } from "../../rigs/servers/disk.ts";
import { makeBlob, makeImage, makeIndex, sha256 } from "../../rigs/servers/images.ts";
import {
  codeOf,
  createClient,
  LOGIN,
  startImages,
  withDigest,
  type Images,
} from "../../rigs/api/oci-server-fixture.ts";

const MIB = 1024 * 1024;
const NAME = "team/images/app";

let api: Images;
beforeEach(async () => {
  api = await startImages({ maxUpload: 32 * MIB });
});
afterEach(() => api.close());

const staged = () => readdirSync(join(api.directory, "blobs", "staging"));
const blobs = () => api.db.$client.prepare("SELECT count(*) FROM blob").pluck().get();
const refusals = () => api.logs.filter(({ facts }) => facts["status"] === 400).length;
const rangeOf = ({ headers }: { headers: Headers }) => headers.get("range");

/** Sends a request that announces more bytes than it has, and cuts the connection after `bytes`. */
async function cut(
  port: number,
  method: string,
  path: string,
  bytes: Buffer,
  announced: number,
): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${LOGIN}\r\nContent-Length: ${announced}\r\n\r\n`,
  );
  await new Promise((resolve) => void socket.write(bytes, resolve));
  socket.destroy();
}

describe("an interrupted upload", () => {
  test.each(["PATCH", "PUT"])(
    "a blob upload whose %s is cut off keeps the bytes that arrived, and continues after them",
    async (method) => {
      const blob = makeBlob(8 * MIB);
      const location = await api.begin(NAME);
      await cut(
        api.port,
        method,
        withDigest(location, blob.digest),
        blob.bytes.subarray(0, 5 * MIB),
        blob.bytes.length,
      );
      const here = async () =>
        Number(/^0-(\d+)$/.exec(rangeOf(await api.http("GET", location)) ?? "")?.[1]) + 1;
      // Until the request that was cut off has ended, its bytes may still be written.
      await expect.poll(refusals).toBe(1);
      let offset = await here();
      expect(offset).toBeGreaterThan(1);
      expect(offset).toBeLessThanOrEqual(5 * MIB);
      expect((await api.http("HEAD", `/v2/${NAME}/blobs/${blob.digest}`)).status).toBe(
        404,
      );
      while (offset < blob.bytes.length) {
        const to = Math.min(offset + 3 * MIB, blob.bytes.length);
        const answer = await api.http("PATCH", location, {
          body: blob.bytes.subarray(offset, to),
          headers: { "content-range": `${offset}-${to - 1}` },
        });
        expect([answer.status, rangeOf(answer)]).toEqual([202, `0-${to - 1}`]);
        offset = to;
      }
      expect((await api.http("PUT", withDigest(location, blob.digest))).status).toBe(201);
      expect(
        sha256((await api.http("GET", `/v2/${NAME}/blobs/${blob.digest}`)).bytes),
      ).toBe(blob.digest);
      expect(staged()).toEqual([]);
    },
  );

  test("a single POST of a blob, or a manifest, that is cut off leaves nothing behind", async () => {
    const blob = makeBlob(4 * MIB);
    await cut(
      api.port,
      "POST",
      `/v2/${NAME}/blobs/uploads/?digest=${blob.digest}`,
      blob.bytes.subarray(0, MIB),
      blob.bytes.length,
    );
    const image = makeImage();
    await cut(
      api.port,
      "PUT",
      `/v2/${NAME}/manifests/v1`,
      image.bytes.subarray(0, 10),
      image.bytes.length,
    );
    await expect.poll(refusals).toBe(2);
    expect([staged(), blobs(), await api.tags(NAME)]).toEqual([[], 0, null]);
    expect(api.logs.filter(({ level }) => level === "error")).toEqual([]);
  });

  test("a blob upload that is cut off by a kill of the service continues after the restart", async () => {
    const directory = mkdtempSync(join(tmpdir(), "images-"));
    const blob = makeBlob(8 * MIB);
    let server = await forkApi(directory);
    let client = createClient(`http://127.0.0.1:${server.port}`);
    const create = (path: string, body: object) =>
      client.http("POST", `/repository/api/${path}`, {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
    await create("project/create", { name: "team", displayName: "Team" });
    await create("repo/create", { projectId: "team", name: "images", type: "OCI" });
    const location = await client.begin(NAME);
    const empty = await client.begin(NAME);
    await client.http("PATCH", location, { body: blob.bytes.subarray(0, 2 * MIB) });
    const uploading = client
      .http("PATCH", location, { body: blob.bytes.subarray(2 * MIB) })
      .catch(() => null);
    await server.kill();
    await uploading;

    server = await forkApi(directory);
    client = createClient(`http://127.0.0.1:${server.port}`);
    expect(rangeOf(await client.http("GET", empty))).toBe("0-0");
    const status = await client.http("GET", location);
    const offset = Number(/^0-(\d+)$/.exec(rangeOf(status) ?? "")?.[1]) + 1;
    expect([status.status, offset >= 2 * MIB]).toEqual([204, true]);
    if (offset < blob.bytes.length) {
      await client.http("PATCH", location, {
        body: blob.bytes.subarray(offset),
        headers: { "content-range": `${offset}-${blob.bytes.length - 1}` },
      });
    }
    expect((await client.http("PUT", withDigest(location, blob.digest))).status).toBe(
      201,
    );
    expect(
      sha256((await client.http("GET", `/v2/${NAME}/blobs/${blob.digest}`)).bytes),
    ).toBe(blob.digest);
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
  });
});

describe("simultaneous pushes", () => {
  test("16 simultaneous pushes of one blob, in four ways, all succeed and store it once", async () => {
    const blob = makeBlob(300_000);
    const ways = [
      () =>
        api.http("POST", `/v2/${NAME}/blobs/uploads/?digest=${blob.digest}`, {
          body: blob.bytes,
        }),
      async () =>
        api.http("PUT", withDigest(await api.begin(NAME), blob.digest), {
          body: blob.bytes,
        }),
      async () => {
        const location = await api.begin(NAME);
        await api.http("PATCH", location, { body: blob.bytes });
        return api.http("PUT", withDigest(location, blob.digest));
      },
      async () => {
        await api.putBlob("team/docker/base", blob);
        return api.http(
          "POST",
          `/v2/${NAME}/blobs/uploads/?mount=${blob.digest}&from=team/docker/base`,
        );
      },
    ];
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => ways[i % ways.length]?.()),
    );
    expect(answers.map((answer) => answer?.status)).toEqual(answers.map(() => 201));
    expect([blobs(), staged()]).toEqual([1, []]);
    expect(
      sha256((await api.http("GET", `/v2/${NAME}/blobs/${blob.digest}`)).bytes),
    ).toBe(blob.digest);
  });

  test("16 simultaneous pushes of one tag leave it at one complete image, which the last event names", async () => {
    const images = Array.from({ length: 16 }, (_, i) =>
      i % 2 === 0 ? makeImage() : makeIndex([makeImage()]),
    );
    await Promise.all(images.map((image) => api.push(NAME, "latest", image)));
    const found = sha256((await api.http("GET", `/v2/${NAME}/manifests/latest`)).bytes);
    expect(images.map(({ digest }) => digest)).toContain(found);
    expect(
      (await api.http("HEAD", `/v2/${NAME}/manifests/latest`)).headers.get(
        "docker-content-digest",
      ),
    ).toBe(found);
    expect(await api.tags(NAME)).toEqual(["latest"]);
    for (const { digest } of images)
      expect((await api.http("GET", `/v2/${NAME}/manifests/${digest}`)).status).toBe(200);
    const events = api.db.$client
      .prepare("SELECT subject, version, digest FROM event ORDER BY seq")
      .all() as {
      subject: string;
      version: string;
      digest: string;
    }[];
    expect(events.at(-1)).toEqual({
      subject: "oci://app",
      version: "latest",
      digest: found,
    });
  });
});

describe("limits of uploads", () => {
  test("a blob larger than MAX_UPLOAD is refused in every way to push it, and is not kept", async () => {
    const { bytes, digest } = makeBlob(33 * MIB);
    const half = bytes.subarray(0, 20 * MIB);
    const location = await api.begin(NAME);
    await api.http("PATCH", location, { body: half });
    const answers = [
      await api.http("POST", `/v2/${NAME}/blobs/uploads/?digest=${digest}`, {
        body: bytes,
      }),
      await api.http("PATCH", location, { body: half }),
      await api.http("PUT", withDigest(await api.begin(NAME), digest), { body: bytes }),
    ];
    for (const answer of answers)
      expect([answer.status, codeOf(answer)]).toEqual([413, "BLOB_UPLOAD_INVALID"]);
    expect(blobs()).toBe(0);
  });

  test("other requests are answered while large blobs are uploaded", async () => {
    const directory = mkdtempSync(join(tmpdir(), "images-"));
    const server = await forkApi(directory);
    const client = createClient(`http://127.0.0.1:${server.port}`);
    const create = (path: string, body: object) =>
      client.http("POST", `/repository/api/${path}`, {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      });
    await create("project/create", { name: "team", displayName: "Team" });
    await create("repo/create", { projectId: "team", name: "images", type: "OCI" });
    const blob = makeBlob(64 * MIB);
    const running = { yes: true };
    const began = performance.now();
    const uploads = Promise.all(
      Array.from({ length: 4 }, (_, i) => client.putBlob(`team/images/big${i}`, blob)),
    ).finally(() => (running.yes = false));
    const times: number[] = [];
    while (running.yes) {
      const start = performance.now();
      expect(
        (await client.http("GET", "/repository/api/repo/info/team/images")).status,
      ).toBe(200);
      times.push(performance.now() - start);
    }
    await uploads;
    const took = performance.now() - began;
    await server.kill();
    rmSync(directory, { recursive: true, force: true });
    const sorted = times.toSorted((a, b) => a - b);
    console.log(
      `while 256 MiB of layers arrived in ${took.toFixed(0)} ms: ${sorted.length} answers, ` +
        `the longest after ${sorted.at(-1)?.toFixed(1)} ms`,
    );
    // An answer that waits for the uploads takes as long as they do.
    expect(sorted.at(-1)).toBeLessThan(0.75 * took);
  });
});

test("a push to a full disk is refused with that reason, and existing content stays", async (context) => {
  const disk = mountDisk("a push to a full disk is not tested", 16);
  if (disk === null) return context.skip("a small disk cannot be mounted here");
  try {
    const directory = join(disk.folder, "data");
    mkdirSync(directory);
    const small = await startImages({}, directory);
    const image = makeImage({ layers: [100_000] });
    await small.push(NAME, "v1", image);
    disk.fill(MIB);
    const blob = makeBlob(4 * MIB);
    const location = await small.begin(NAME);
    const answers = [
      await small.http("POST", `/v2/${NAME}/blobs/uploads/?digest=${blob.digest}`, {
        body: blob.bytes,
      }),
      await small.http("PATCH", location, { body: blob.bytes }),
    ];
    for (const answer of answers)
      expect([answer.status, answer.text]).toEqual([
        507,
        expect.stringContaining("full"),
      ]);
    disk.empty();
    await small.http("DELETE", location);
    expect(
      (
        await small.http("POST", `/v2/${NAME}/blobs/uploads/?digest=${blob.digest}`, {
          body: blob.bytes,
        })
      ).status,
    ).toBe(201);
    expect(sha256((await small.http("GET", `/v2/${NAME}/manifests/v1`)).bytes)).toBe(
      image.digest,
    );
    await small.close();
  } finally {
    disk.unmount();
  }
});
