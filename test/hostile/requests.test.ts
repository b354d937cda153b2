import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FILES_MEDIA_TYPE } from "../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE } from "../../domain/sync-versions.ts";
import { createTestApi } from "../rigs/api/api-fixture.ts";
import { pathOf, readRequests } from "../rigs/api/request-bodies.ts";
import { forkApi, LOGIN, send } from "../rigs/api/socket-fixture.ts";
import { makeImage, sha256 } from "../rigs/servers/images.ts";
import { publication } from "../rigs/servers/npm-publication.ts";
import { AMPLIFIERS, type Amplifier } from "./amplifiers.ts";

/** Less than any of the hostile bodies would take as objects. */
const HEAP_MIB = 128;
const MIB = 1024 * 1024;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

let directory: string;
let api: Awaited<ReturnType<typeof forkApi>>;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "hostile-"));
  api = await forkApi(directory, [`--max-old-space-size=${HEAP_MIB}`]);
  for (const [name, type] of [
    ["npm", "NPM"],
    ["images", "DOCKER"],
    ["maven", "MAVEN"],
  ])
    await json("POST", "/repository/api/repo/create", { projectId: "demo", name, type });
});
afterAll(async () => {
  await api.kill();
  rmSync(directory, { recursive: true, force: true });
});

const json = (method: string, path: string, body: object) =>
  send(api.port, method, path, { "content-type": "application/json" }, [
    Buffer.from(JSON.stringify(body)),
  ]);

type Door = {
  what: string;
  method: string;
  path: string;
  type: string;
  field: string;
  /** The largest body (bytes) that the door reads at all. */
  most: number;
  /** The body around the hostile JSON, whose length is known. */
  wrap?: (json: Buffer) => Buffer;
};

/** A statement begins with the length of its JSON. */
function statement(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

const DOORS: Door[] = [
  {
    what: "a publication",
    method: "PUT",
    path: "/npm/demo/npm/pkg",
    type: "application/json",
    field: "dist-tags",
    most: 31 * MIB,
  },
  {
    what: "the versions of a publication",
    method: "PUT",
    path: "/npm/demo/npm/pkg",
    type: "application/json",
    field: "versions",
    most: 31 * MIB,
  },
  {
    what: "a dist-tag",
    method: "PUT",
    path: "/npm/demo/npm/-/package/pkg/dist-tags/latest",
    type: "application/json",
    field: "a",
    most: 4_000,
  },
  {
    what: "a manifest",
    method: "PUT",
    path: "/v2/demo/images/app/manifests/v1",
    type: MANIFEST,
    field: "layers",
    most: 4 * MIB,
  },
  {
    what: "a statement of files",
    method: "POST",
    path: "/replication/sync/v1/files/demo/files",
    type: FILES_MEDIA_TYPE,
    field: "files",
    most: 4 * MIB - 64 * 1024,
    wrap: statement,
  },
  {
    what: "a statement of versions",
    method: "POST",
    path: "/replication/sync/v1/versions/demo/npm",
    type: VERSIONS_MEDIA_TYPE,
    field: "versions",
    most: 15 * MIB,
    wrap: statement,
  },
  {
    what: "the contents of a statement of versions",
    method: "POST",
    path: "/replication/sync/v1/versions/demo/npm",
    type: VERSIONS_MEDIA_TYPE,
    field: "contents",
    most: 15 * MIB,
    wrap: statement,
  },
];

/** Sends a hostile body to a door; returns the status, or "cut" when the connection was closed in its middle. */
async function knock(
  { method, path, type, field, most, wrap = (body) => body }: Door,
  { body }: Amplifier,
): Promise<number | "cut"> {
  const whole = wrap(Buffer.concat([...body(field, most)]));
  const headers = { "content-type": type, "content-length": whole.length };
  return send(api.port, method, path, headers, [whole]).then(
    ({ status }) => status,
    () => "cut" as const,
  );
}

async function isAlive(): Promise<boolean> {
  const { status } = await send(api.port, "GET", "/health/live", {
    authorization: LOGIN,
  });
  return status === 200;
}

describe.each(DOORS)("$what", (door) => {
  test.each(AMPLIFIERS)(
    "is refused when it is $what, and the process goes on",
    async (amplifier) => {
      expect([400, 403, 404, 413, "cut"]).toContain(await knock(door, amplifier));
      expect(await isAlive()).toBe(true);
    },
  );
});

test("every route refuses a body of JSON that would become large in memory", async () => {
  const described = createTestApi();
  const { bodies } = await readRequests(described);
  described.close();
  expect(bodies.length).toBeGreaterThan(10);
  for (const { method, path } of bodies) {
    const door = {
      what: path,
      method,
      path: pathOf(path),
      type: "application/json",
      field: "name",
      most: 60 * 1024,
    };
    for (const amplifier of AMPLIFIERS)
      expect([path, amplifier.what, await knock(door, amplifier)]).toEqual([
        path,
        amplifier.what,
        expect.toSatisfy((status) => status === "cut" || (status >= 400 && status < 500)),
      ]);
  }
  expect(await isAlive()).toBe(true);
});

test("a POM of a quarter of a million elements is kept, and requests beside it are answered", async () => {
  const pom = Buffer.from(`<project>${"<a/>".repeat(240_000)}</project>`);
  const path = "/maven/demo/maven/g/a/1/a-1.pom";
  const { status } = await send(api.port, "PUT", path, { "content-length": pom.length }, [
    pom,
  ]);
  expect(status).toBe(201);
  expect(await isAlive()).toBe(true);
});

/** More than the process has, together. */
const LARGE = 40;

test("a package of large documents is read by clients one after the other, and the process goes on", async () => {
  const put = (version: string) => {
    const document = { description: "d".repeat(4 * MIB - 4_000) };
    const body = publication("large", version, Buffer.from(version), { document });
    return json("PUT", "/npm/demo/npm/large", body);
  };
  for (let at = 0; at < LARGE; at += 1) expect((await put(`1.0.${at}`)).status).toBe(201);
  for (let client = 0; client < 2; client += 1) {
    const { status, body } = await send(api.port, "GET", "/npm/demo/npm/large", {
      accept: "application/octet-stream",
    });
    expect(status).toBe(200);
    const { versions } = JSON.parse(body.toString("latin1")) as { versions: object };
    expect(Object.keys(versions)).toHaveLength(LARGE);
  }
  expect(await isAlive()).toBe(true);
});

test("a list of referrers with large annotations is read page by page, and the process goes on", async () => {
  const subject = makeImage();
  const descriptor = {
    mediaType: MANIFEST,
    digest: subject.digest,
    size: subject.bytes.length,
  };
  for (let at = 0; at < LARGE; at += 1) {
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: "application/vnd.oci.image.index.v1+json",
        manifests: [],
        subject: descriptor,
        annotations: { at: `${at}`, of: "a".repeat(4 * MIB - 4_000) },
      }),
    );
    const type = "application/vnd.oci.image.index.v1+json";
    const path = `/v2/demo/images/large/manifests/${sha256(bytes)}`;
    const { status } = await send(api.port, "PUT", path, { "content-type": type }, [
      bytes,
    ]);
    expect(status).toBe(201);
  }
  let listed = 0;
  let path: string | undefined = `/v2/demo/images/large/referrers/${subject.digest}`;
  while (path !== undefined) {
    const { status, headers, body } = await send(api.port, "GET", path);
    expect(status).toBe(200);
    expect(body.length).toBeLessThan(8 * MIB);
    listed += (JSON.parse(body.toString("latin1")) as { manifests: object[] }).manifests
      .length;
    path = /^<([^>]+)>/.exec(String(headers["link"] ?? ""))?.[1];
  }
  expect(listed).toBe(LARGE);
  expect(await isAlive()).toBe(true);
});
