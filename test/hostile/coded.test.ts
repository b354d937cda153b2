import { pipeline, Readable } from "node:stream";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { createInstanceClient } from "../../activities/registries/instance/client.ts";
import { createHttpClient } from "../../activities/registries/http.ts";
import { ask, closeServers, serve } from "../registries/http-rig.ts";

afterEach(closeServers);

/** Pieces of coded bodies that go on without meaning a byte. */
const EMPTY: [string, string, Buffer, Buffer][] = [
  ["members of gzip", "gzip", gzipSync(""), gzipSync("")],
  [
    "blocks of deflate",
    "deflate",
    Buffer.from([0x78, 0x01]),
    Buffer.from([0, 0, 0, 0xff, 0xff]),
  ],
  // Metablocks of no data (RFC 7932 §9.2); the first byte begins with the size of the window.
  ["blocks of Brotli", "br", Buffer.from([0x0c]), Buffer.from([0x06])],
];

function* without(begin: Buffer, piece: Buffer): Generator<Buffer> {
  const many = Buffer.concat(Array<Buffer>(10_000).fill(piece));
  for (yield begin; ;) yield many;
}

describe.each(EMPTY)("a body of endless empty %s", (_what, coding, begin, piece) => {
  const endless = (status: number) =>
    serve((request, response) => {
      request.resume();
      response.writeHead(status, { "content-encoding": coding });
      pipeline(Readable.from(without(begin, piece)), response, () => undefined);
    });
  const message = expect.stringMatching(
    /longer than what its Content-Encoding stands for/,
  );

  test("is given up as a content", async () => {
    await expect(ask(await endless(200))).rejects.toMatchObject({ message });
  });

  test("is given up as facts of an instance", async () => {
    const client = createInstanceClient({
      url: await endless(200),
      username: null,
      password: null,
      token: null,
    });
    await expect(client.capabilities()).rejects.toMatchObject({ message });
    await client.close();
  });

  test("is given up as an error, whose status counts", async () => {
    await expect(ask(await endless(418))).rejects.toMatchObject({
      message: expect.stringContaining("answered 418"),
    });
  });
});

test("an honest body may have two codings, and bytes that cannot be packed may be longer in them", async () => {
  const bytes = Buffer.from(
    Array.from({ length: 900_000 }, (_, at) => (at * at * 31) % 251),
  );
  const url = await serve((_request, response) => {
    response.writeHead(200, { "content-encoding": "gzip, br" });
    response.end(brotliCompressSync(gzipSync(bytes, { level: 0 })));
  });
  const client = createHttpClient();
  const answer = await client.request({ method: "GET", url: new URL(url), what: "it" });
  expect((await answer.bytes(1_000_000)).equals(bytes)).toBe(true);
  await client.close();
});

test("a body with more codings than two is refused before any of them is begun", async () => {
  const url = await serve((_request, response) => {
    response.writeHead(200, { "content-encoding": Array(3_000).fill("br").join(",") });
    response.end("x");
  });
  await expect(ask(url)).rejects.toMatchObject({
    kind: "unsupported",
    message: expect.stringContaining("3000 Content-Encodings one upon the other"),
  });
});
