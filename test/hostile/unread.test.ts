import type { IncomingMessage, ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { endAt } from "../rigs/servers/end.ts";
import type { Artifact, Part } from "../../domain/artifact.ts";
import type { Digest } from "../../domain/digest.ts";
import { LIMITS } from "../../domain/foreign/limits.ts";
import { UNHURRIED } from "../../domain/slice.ts";
import { createHttpClient } from "../../activities/registries/http.ts";
import { openSource } from "../../activities/registries/npm/source.ts";
import { openTarget } from "../../activities/registries/npm/target.ts";
import { createOciRegistry } from "../../activities/registries/oci/registry.ts";
import { openContent } from "../../activities/transfer/content.ts";
import { closeServers, serve } from "../registries/http-rig.ts";

afterEach(closeServers);

/** One more than the connections of a client to one end. */
const TIMES = 33;
/** More than undici reads ahead of the reader of a body: while it is unread, its connection is taken. */
const BODY = Buffer.alloc(1024 ** 2, "x");
const DIGEST: Digest = `sha256:${"a".repeat(64)}`;
const signal = new AbortController().signal;

type Bad = { what: string; headers: Record<string, string> };

const STATUSES = [200, 206, 404, 418, 500, 503];
const BAD: Bad[] = [
  { what: "an unknown coding", headers: { "content-encoding": "foo" } },
  { what: "an unknown coding below gzip", headers: { "content-encoding": "foo, gzip" } },
  { what: "too many codings", headers: { "content-encoding": "gzip, gzip, gzip" } },
  { what: "a coding that it does not have", headers: { "content-encoding": "gzip" } },
  { what: "no coding, and no JSON", headers: {} },
];

/** Starts an end that answers `bad` to all but the paths that begin with /good. */
const startEnd = (bad: (request: IncomingMessage, response: ServerResponse) => void) =>
  serve((request, response) => {
    request.resume();
    if (request.url?.startsWith("/good") || request.url === "/v2/")
      return void response.end("{}");
    bad(request, response);
  });

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const chunk of chunks) bytes += chunk.length;
  return bytes;
}

describe.each(BAD)("answers with $what", ({ headers }) => {
  test.each(STATUSES)(
    "and the status %s do not use up the connections",
    async (status) => {
      const url = await startEnd((_request, response) =>
        response.writeHead(status, headers).end(BODY),
      );
      const client = createHttpClient();
      const ask = async (path: string) => {
        const request = { method: "GET", url: new URL(path, url), what: "it" } as const;
        return (await client.request({ ...request, accept: [404] })).json(LIMITS.facts);
      };
      for (let at = 0; at < TIMES; at += 1) await ask("/").catch(() => undefined);
      expect(await ask("/good")).toEqual({});
      await client.close();
    },
  );
});

test("blobs that begin elsewhere than requested do not use up the connections", async () => {
  const headers = { "content-range": `bytes 5-${BODY.length + 4}/${BODY.length + 5}` };
  const url = await startEnd((request, response) =>
    request.url?.includes("/tags/")
      ? response.end('{"tags":["v1"]}')
      : response.writeHead(206, headers).end(BODY),
  );
  const registry = createOciRegistry({ url });
  for (let at = 0; at < TIMES; at += 1)
    await expect(
      registry.openBlob("app", { digest: DIGEST, size: BODY.length + 5 }, 0),
    ).rejects.toMatchObject({ message: expect.stringContaining("different byte range") });
  expect((await registry.listTags("app", null))?.items).toEqual(["v1"]);
  await registry.close();
});

const ARTIFACT: Artifact = {
  name: "pkg",
  version: "1.0.0",
  parts: [{ path: "/pkg.tgz", size: null, digests: {} }],
  digest: null,
  document: {},
  tags: [],
  origin: { createdBy: "a", createdDate: 0, lastModifiedBy: "a", lastModifiedDate: 0 },
};
const hooks = {
  signal,
  slice: UNHURRIED,
  throttle: async (bytes: number) => bytes,
  onUpload: () => undefined,
  onBytes: () => undefined,
};

const [PART] = ARTIFACT.parts as [Part];

/**
 * Works with a registry that has one tarball, more often than a source has connections; returns how many bytes of the
 * tarball can be read then.
 */
async function readAfter(
  work: (source: ReturnType<typeof openSource>) => Promise<void>,
  idleTimeoutMs?: number,
): Promise<number> {
  const url = await startEnd((_request, response) => response.end(BODY));
  const source = openSource({ ...endAt(url), ...(idleTimeoutMs && { idleTimeoutMs }) });
  for (let at = 0; at < TIMES; at += 1) await work(source);
  const { chunks } = await source.open(ARTIFACT, PART, 0, signal);
  const bytes = await drain(chunks);
  await source.close();
  return bytes;
}

test("publications to an end that is away do not use up the connections to the source", async () => {
  const target = openTarget(endAt("http://127.0.0.1:1"));
  const bytes = await readAfter(async (source) => {
    const content = openContent(source, ARTIFACT, hooks, []);
    await expect(target.put(ARTIFACT, ARTIFACT.parts, content)).rejects.toMatchObject({
      kind: "unreachable",
    });
  });
  expect(bytes).toBe(BODY.length);
  await target.close();
});

test("contents that are opened and never read do not keep their connections", async () => {
  const open = async (source: ReturnType<typeof openSource>) =>
    void (await source.open(ARTIFACT, PART, 0, signal));
  expect(await readAfter(open, 200)).toBe(BODY.length);
});
