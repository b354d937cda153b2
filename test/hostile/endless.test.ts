import type { ServerResponse } from "node:http";
import { pipeline, Readable } from "node:stream";
import { afterEach, describe, expect, test } from "vitest";
import { endAt } from "../rigs/servers/end.ts";
import { BUDGETS as DEFAULTS } from "../../domain/budgets.ts";
import type { Artifact, Part } from "../../domain/artifact.ts";
import type { Digest } from "../../domain/digest.ts";
import { UNHURRIED } from "../../domain/slice.ts";
import { SYNC_LIMITS, SYNC_PRODUCT, SYNC_VERSION } from "../../domain/sync.ts";
import { openLister as openNpm } from "../../activities/registries/npm/lister.ts";
import { openSource } from "../../activities/registries/npm/source.ts";
import { openTarget } from "../../activities/registries/npm/target.ts";
import { createHttpClient } from "../../activities/registries/http.ts";
import { createInstanceClient } from "../../activities/registries/instance/client.ts";
import { createOciRegistry } from "../../activities/registries/oci/registry.ts";
import { openContent } from "../../activities/transfer/content.ts";
import { copyParts } from "../../activities/transfer/parts.ts";
import { verifyParts } from "../../activities/transfer/verify.ts";
import { ask, closeServers, serve } from "../registries/http-rig.ts";

afterEach(closeServers);

const BUDGETS = { ...DEFAULTS, maxTags: 2_000, maxListed: 3_000, maxEmptyPages: 7 };
const DIGEST: Digest = `sha256:${"a".repeat(64)}`;
const signal = new AbortController().signal;

/** How an endless list goes on: the entries of its page `at`. */
const WAYS: [string, (at: number) => number[], RegExp][] = [
  [
    "new entries",
    (at) => Array.from({ length: 100 }, (_, i) => at * 100 + i),
    /setting (?:MAX_TAGS|MAX_LISTED)/,
  ],
  ["one new entry a page", (at) => [at], /setting (?:MAX_TAGS|MAX_LISTED)/],
  ["empty pages", () => [], /MAX_EMPTY_PAGES|reports \d+ packages but lists/],
  ["the same entries", () => [1, 2, 3], /ends like the previous page/],
];

type Conversation = {
  what: string;
  /** Answers a page with these entries. */
  page: (response: ServerResponse, entries: number[], at: number) => void;
  converse: (url: string) => Promise<unknown>;
};

const hex = (at: number) => at.toString(16).padStart(64, "0");

const CONVERSATIONS: Conversation[] = [
  {
    what: "a list of attachments",
    page: (response, entries, at) =>
      response.setHeader("link", `<?page=${at}>; rel="next"`).end(
        JSON.stringify({
          manifests: entries.map((each) => ({
            mediaType: "x",
            digest: `sha256:${hex(each)}`,
            size: 1,
          })),
        }),
      ),
    async converse(url) {
      const registry = createOciRegistry({ url, budgets: BUDGETS });
      return registry.listReferrers("app", DIGEST).finally(() => registry.close());
    },
  },
  {
    what: "a search for all packages",
    page: (response, entries) =>
      response.end(
        JSON.stringify({
          total: 1e15,
          objects: entries.map((each) => ({ package: { name: `p${each}` } })),
        }),
      ),
    async converse(url) {
      const lister = openNpm(endAt(url, BUDGETS));
      return lister
        .list({ packages: [], paths: [] }, null, signal)
        .finally(() => lister.close());
    },
  },
];

describe.each(CONVERSATIONS)("$what without end", ({ page, converse }) => {
  test.each(WAYS)(
    "is refused for good when it goes on with %s",
    async (_way, entriesOf, said) => {
      let at = 0;
      const url = await serve((request, response) => {
        if (request.url === "/v2/") return void response.end("{}");
        if (request.url?.startsWith("/-/all")) return void response.writeHead(404).end();
        at += 1;
        page(response, entriesOf(at), at);
      });
      await expect(converse(url)).rejects.toMatchObject({
        kind: "invalid",
        retryable: false,
        message: expect.stringMatching(said),
      });
    },
  );
});

test.each([102, 103])(
  "an end that answers %s without end is given up for good",
  async (status) => {
    const url = await serve((_request, response) => {
      const more = () => {
        if (response.socket?.destroyed === false)
          response.socket.write(`HTTP/1.1 ${status} Wait\r\n\r\n`, () =>
            setImmediate(more),
          );
      };
      more();
    });
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("more than 100 provisional answers"),
    });
  },
);

test("an instance cannot ask for contents byte by byte", async () => {
  const data = {
    product: SYNC_PRODUCT,
    version: SYNC_VERSION,
    limits: { ...SYNC_LIMITS, chunkBytes: 1 },
  };
  const url = await serve((_request, response) =>
    response.end(JSON.stringify({ code: 0, message: null, data })),
  );
  const client = createInstanceClient({ url });
  expect((await client.capabilities()).limits.chunkBytes).toBe(64 * 1024);
  await client.close();
});

describe("a body that comes byte by byte", () => {
  const dripping = () =>
    serve((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("x"), 40);
      response.on("close", () => clearInterval(timer));
    });

  test("is given up, with the name of the setting", async () => {
    await expect(ask(await dripping(), {}, { idleTimeoutMs: 200 })).rejects.toMatchObject(
      {
        kind: "timeout",
        message: expect.stringContaining("MIN_RATE"),
      },
    );
  });

  test("does not count the time in which its reader was busy", async () => {
    const url = await serve((_request, response) =>
      response.end(Buffer.alloc(512 * 1024)),
    );
    const client = createHttpClient({
      idleTimeoutMs: 2_000,
      budgets: { ...BUDGETS, minRate: 1e9 },
    });
    const answer = await client.request({ method: "GET", url: new URL(url), what: "it" });
    let bytes = 0;
    for await (const chunk of answer.stream()) {
      bytes += chunk.length;
      const until = performance.now() + 60;
      while (performance.now() < until)
        await new Promise((resolve) => setImmediate(resolve));
    }
    expect(bytes).toBe(512 * 1024);
    await client.close();
  });
});

const PACKUMENT = JSON.stringify({ name: "pkg", versions: { "1.0.0": { dist: {} } } });
const PART: Part = { path: "/pkg.tgz", size: null, digests: {} };
const ARTIFACT: Artifact = {
  name: "pkg",
  version: "1.0.0",
  parts: [PART],
  digest: null,
  document: {},
  tags: [],
  origin: { createdBy: "a", createdDate: 0, lastModifiedBy: "a", lastModifiedDate: 0 },
};
/** How much of a content comes of which nobody states the size, in these tests. */
const UNSIZED = 1024 ** 2;

describe("a content without end", () => {
  const budgets = { ...DEFAULTS, maxUnsized: UNSIZED };
  const bytes = Buffer.alloc(64 * 1024, "x");
  const refused = {
    kind: "invalid",
    retryable: false,
    message: expect.stringMatching(/1048576 bytes .* \(setting MAX_UNSIZED\)/),
  };

  /** Starts an end whose contents never end; HEAD says nothing of their size. */
  const endless = () =>
    serve((request, response) => {
      request.resume();
      if (request.url === "/v2/" || request.method === "HEAD") return void response.end();
      if (request.url === "/pkg") return void response.end(PACKUMENT);
      const forever = (function* () {
        for (;;) yield bytes;
      })();
      pipeline(Readable.from(forever), response, () => undefined);
    });

  /** Reads to the end and returns the error; `read` counts. */
  async function readAll(chunks: AsyncIterable<Uint8Array>) {
    let read = 0;
    const error = await (async () => {
      for await (const chunk of chunks) read += chunk.length;
    })().catch((thrown: unknown) => thrown);
    return { read, error };
  }

  test.each([0, 300_000])(
    "is given up for good as a tarball that is read from byte %i on",
    async (offset) => {
      const source = openSource(endAt(await endless(), budgets));
      const { chunks, size } = await source.open(ARTIFACT, PART, offset, signal);
      expect(size).toBe(null);
      const { read, error } = await readAll(chunks);
      expect(error).toMatchObject(refused);
      expect(read).toBeLessThanOrEqual(UNSIZED - offset);
      await source.close();
    },
  );

  test.each([null, 100_000])(
    "is given up for good as a blob whose manifest states the size %s",
    async (size) => {
      const registry = createOciRegistry({ url: await endless(), budgets });
      const misstated = () => new Error("the digest is right") as never;
      const blob = { digest: DIGEST, size: size ?? 0 };
      const chunks =
        size === null
          ? await registry.openBlob("app", { digest: DIGEST, size }, 0)
          : registry.readBlob("app", blob, misstated);
      const { read, error } = await readAll(chunks);
      expect(error).toMatchObject(refused);
      expect(read).toBeLessThanOrEqual(size ?? UNSIZED);
      await registry.close();
    },
  );

  test("counts as other content where it is read back from a target, and is read no further than that", async () => {
    const end = endAt(await endless(), BUDGETS);
    const [target, source] = [openTarget(end), openSource(end)];
    const part = { ...PART, size: 100_000, digests: { sha512: "a".repeat(128) } };
    const artifact = { ...ARTIFACT, parts: [part] };
    const read: number[] = [];
    const hooks = {
      signal,
      slice: UNHURRIED,
      throttle: async (wanted: number) => {
        read.push(wanted);
        return wanted;
      },
      onUpload: () => undefined,
      onBytes: () => undefined,
    };
    const rules = {
      conflictStrategy: "SKIP",
      includeMetadata: true,
      mayHaveSent: false,
      compare: "READ",
      verification: "READ_BACK",
    } as const;
    const copy = {
      artifact,
      source,
      target,
      at: "the target",
      rules,
      hooks,
      uploads: [],
      mayRead: async () => true,
    };
    const content = openContent(source, artifact, hooks, []);
    await expect(verifyParts(copy, [part], content)).rejects.toMatchObject({
      kind: "digestMismatch",
      message: expect.stringContaining("other content is there"),
    });
    expect(await copyParts(copy)).toMatchObject({ result: { kind: "skipped" } });
    expect(read.reduce((sum, each) => sum + each, 0)).toBeLessThan(
      2 * (100_000 + UNSIZED),
    );
    await Promise.all([target.close(), source.close()]);
  });
});
