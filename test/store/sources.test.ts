import type { AddressInfo } from "node:net";
import { serve, type ServerType } from "@hono/node-server";
import { Hono } from "hono";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createControlPlane } from "../../activities/control-plane.ts";
import { layout } from "../../activities/store/layout.ts";
import type { ContentSource } from "../../activities/store/content-source.ts";
import { identitiesOf } from "../rigs/api/identities.ts";
import { createContentSource } from "../../activities/store/source.ts";
import { unpack } from "../../activities/store/remote-source.ts";
import type { Env } from "../../api/deps.ts";
import { holdBodies } from "../../api/http/body-budget.ts";
import { knowClient } from "../../api/http/client.ts";
import { internalAuth } from "../../api/internal/auth.ts";
import { blobRoutes } from "../../api/internal/blobs.ts";
import {
  createContent,
  openFiles,
  random,
  read,
  sha256,
} from "../rigs/api/content-fixture.ts";
import { createWorkers } from "../../api/internal/workers.ts";

const WORKER = { id: "own-1", secret: "0123456789abcdef0123456789abcdef" };
const contents = [
  random(0),
  random(1),
  random(16 * 1024),
  random(16 * 1024 + 1),
  random(3_000_000),
];

let content: ReturnType<typeof createContent>;
let server: ServerType;
let sources: { name: string; source: ContentSource }[];
let stop: (() => Promise<void>)[];

beforeEach(async () => {
  content = createContent();
  await content.store.putAll(
    contents.map((each) => ({ content: each })),
    () => undefined,
  );
  const app = new Hono<Env>()
    .use(knowClient(() => false, null))
    .use(holdBodies())
    .use(
      "/internal/v1/*",
      internalAuth(identitiesOf(WORKER), createWorkers({ error: () => {} }), {
        note: () => undefined,
      }),
    )
    .route("/internal/v1/blobs", blobRoutes(content));
  server = await new Promise((resolve) => {
    const started = serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, () =>
      resolve(started),
    );
  });
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const plane = createControlPlane({ apiUrl, identity: WORKER, name: "ours" });
  const stranger = createControlPlane({
    apiUrl,
    identity: { ...WORKER, secret: WORKER.secret.replace("0", "1") },
    name: "stranger",
  });
  stop = [() => plane.close(), () => stranger.close()];
  sources = [
    {
      name: "disk",
      source: createContentSource({ local: layout(content.dataDir), call: plane.open }),
    },
    {
      name: "internal API",
      source: createContentSource({ local: null, call: plane.open }),
    },
    {
      name: "stranger",
      source: createContentSource({ local: null, call: stranger.open }),
    },
  ];
});

afterEach(async () => {
  for (const { source } of sources) await source.close();
  for (const each of stop) await each();
  if ("closeAllConnections" in server) server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  content.close();
});

const sourceOf = (name: string) => {
  const found = sources.find((each) => each.name === name);
  if (!found) throw new Error(name);
  return found.source;
};

test.each(["disk", "internal API"])(
  "a worker reads whole contents and ranges from the %s",
  async (name) => {
    const source = sourceOf(name);
    for (const each of contents) {
      const opened = await source.open(sha256(each));
      expect(opened.size).toBe(each.length);
      expect(sha256(await read(opened.stream))).toBe(sha256(each));
    }
    const large = contents[4] ?? random(0);
    const part = await source.open(sha256(large), { start: 1_000_000, end: 1_999_999 });
    expect([part.size, sha256(await read(part.stream))]).toEqual([
      3_000_000,
      sha256(large.subarray(1_000_000, 2_000_000)),
    ]);
    const rest = await source.open(sha256(large), { start: 2_999_990 });
    expect(await read(rest.stream)).toEqual(large.subarray(2_999_990));
  },
);

test.each(["disk", "internal API"])(
  "a worker reads many small contents at once from the %s, without large or missing ones",
  async (name) => {
    const found = await sourceOf(name).readSmall([
      ...contents.map(sha256),
      sha256("absent"),
    ]);
    expect(new Map([...found].map(([digest, each]) => [digest, sha256(each)]))).toEqual(
      new Map(contents.slice(0, 3).map((each) => [sha256(each), sha256(each)])),
    );
  },
);

test.each(["disk", "internal API"])(
  "a worker gets an error that is not retried for a content missing at the %s",
  async (name) => {
    await expect(sourceOf(name).open(sha256("absent"))).rejects.toMatchObject({
      kind: "notFound",
      retryable: false,
    });
  },
);

test("a worker without the secret key is refused any content", async () => {
  await expect(sourceOf("stranger").open(sha256(contents[1] ?? ""))).rejects.toThrow(
    "401",
  );
  await expect(sourceOf("stranger").readSmall([])).rejects.toThrow("401");
});

test("a worker sees content that was stored after it started", async () => {
  const source = sourceOf("disk");
  await source.readSmall([sha256("new")]);
  await content.store.putAll([{ content: Buffer.from("new") }], () => undefined);
  expect((await source.readSmall([sha256("new")])).get(sha256("new"))?.toString()).toBe(
    "new",
  );
});

test("an answer with small contents that ends early is reported as an error", () => {
  expect(() => unpack(Buffer.alloc(20))).toThrow("was cut off");
  expect(() =>
    unpack(Buffer.concat([Buffer.alloc(32), Buffer.from([0, 0, 0, 9]), Buffer.alloc(5)])),
  ).toThrow("was cut off");
});

test("a download that is aborted leaves the worker's connection usable", async () => {
  const source = sourceOf("internal API");
  const opened = await source.open(sha256(contents[4] ?? ""));
  opened.stream.on("error", () => undefined).destroy();
  expect(await read((await source.open(sha256(contents[3] ?? ""))).stream)).toHaveLength(
    16 * 1024 + 1,
  );
});

test("a control plane that dies during an answer counts as unreachable, which is retried", async () => {
  const bytes = random(60_000_000);
  await content.store.putAll([{ content: bytes }], () => undefined);
  const { stream } = await sourceOf("internal API").open(sha256(bytes));
  const reading = read(stream);
  if ("closeAllConnections" in server) server.closeAllConnections();
  await expect(reading).rejects.toMatchObject({ kind: "unreachable", retryable: true });
});

test.skipIf(process.platform !== "linux")(
  "a content that was opened to be sent leaves no file open when nothing of it is read",
  async () => {
    const before = openFiles();
    const large = sha256(contents.at(-1) ?? Buffer.alloc(0));
    const { chunks } = await content.store.openToSend(large);
    expect(openFiles()).toBe(before + 1);
    await chunks.return();
    expect(openFiles()).toBe(before);
  },
);
