import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFiles, random, sha256 } from "../rigs/api/content-fixture.ts";
import { forkApi, LOGIN, send, startApi } from "../rigs/api/socket-fixture.ts";

let api: Awaited<ReturnType<typeof startApi>>;
beforeEach(async () => {
  api = await startApi({ maxUpload: 64 * 1024 * 1024 });
});
afterEach(() => api.close());

const MIB = 1024 * 1024;
const path = (name: string) => `/generic/demo/files/${name}`;
const staged = () => readdirSync(join(api.directory, "blobs", "staging"));
const blobs = () => api.db.$client.prepare("SELECT count(*) FROM blob").pluck().get();

function* pieces(bytes: Buffer, size = 100_000): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Sends a PUT request with `head` and `body`, and cuts the connection at the end of `body`. */
async function cut(head: string, body: Buffer): Promise<void> {
  const socket = connect(api.port, "127.0.0.1");
  socket.write(
    `PUT ${path("cut")} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${LOGIN}\r\n${head}\r\n\r\n`,
  );
  await new Promise((resolve) => void socket.write(body, resolve));
  socket.destroy();
}

test.each(["with its length", "in chunks"])(
  "a large file that is sent %s is downloaded unchanged",
  async (how) => {
    const bytes = random(20 * MIB);
    const headers = how === "in chunks" ? {} : { "content-length": bytes.length };
    const put = await send(api.port, "PUT", path("large"), headers, pieces(bytes));
    expect(put.json.data).toMatchObject({ size: bytes.length, sha256: sha256(bytes) });
    const got = await send(api.port, "GET", path("large"));
    expect(got.headers["content-length"]).toBe(String(bytes.length));
    expect(sha256(got.body)).toBe(sha256(bytes));
    const part = await send(api.port, "GET", path("large"), {
      range: `bytes=${5 * MIB}-${6 * MIB - 1}`,
    });
    expect([part.status, sha256(part.body)]).toEqual([
      206,
      sha256(bytes.subarray(5 * MIB, 6 * MIB)),
    ]);
    const head = await send(api.port, "HEAD", path("large"));
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([
      200,
      String(bytes.length),
      0,
    ]);
  },
);

test("a client that reads slowly downloads a large file unchanged", async () => {
  const bytes = random(20 * MIB);
  await send(api.port, "PUT", path("halting"), {}, pieces(bytes));
  const got = createHash("sha256");
  await new Promise<void>((resolve, reject) => {
    const req = request(
      {
        host: "127.0.0.1",
        port: api.port,
        path: path("halting"),
        headers: { authorization: LOGIN },
      },
      (res) => {
        res.on("data", (chunk: Buffer) => {
          got.update(chunk);
          res.pause();
          setImmediate(() => res.resume());
        });
        res.on("end", resolve).on("error", reject);
      },
    );
    req.on("error", reject).end();
  });
  expect(got.digest("hex")).toBe(sha256(bytes));
});

test("a client that sends Expect: 100-continue gets 100 Continue before it sends the body", async () => {
  const answer = await new Promise<{ continued: boolean; status: number | undefined }>(
    (resolve, reject) => {
      let continued = false;
      const headers = {
        authorization: LOGIN,
        expect: "100-continue",
        "content-length": 5,
      };
      const req = request(
        {
          host: "127.0.0.1",
          port: api.port,
          method: "PUT",
          path: path("asked"),
          headers,
        },
        (res) => {
          res.resume().on("end", () => resolve({ continued, status: res.statusCode }));
        },
      );
      req.on("continue", () => {
        continued = true;
        req.end("hello");
      });
      req.on("error", reject);
      req.flushHeaders();
    },
  );
  expect(answer).toEqual({ continued: true, status: 200 });
  expect((await send(api.port, "GET", path("asked"))).body.toString()).toBe("hello");
});

test.each([
  [
    "an upload whose small body ends before its length",
    "Content-Length: 5000",
    random(1000),
  ],
  [
    "an upload whose large body ends before its length",
    `Content-Length: ${10 * MIB}`,
    random(2 * MIB),
  ],
  [
    "an upload in chunks without an end",
    "Transfer-Encoding: chunked",
    Buffer.concat([Buffer.from("100000\r\n"), random(MIB), Buffer.from("\r\n")]),
  ],
])("%s leaves nothing behind", async (_what, head, body) => {
  await cut(head, body);
  await expect
    .poll(() =>
      api.logs.some(({ facts }) => facts["method"] === "PUT" && facts["status"] === 400),
    )
    .toBe(true);
  expect([staged(), blobs()]).toEqual([[], 0]);
  expect((await send(api.port, "GET", path("cut"))).json.code).toBe(251010);
  expect(api.logs.filter(({ level }) => level === "error")).toEqual([]);
});

async function* endless() {
  for (;;) yield random(MIB);
}

test("an upload of unknown length that gets too large is refused while it is still being sent", async () => {
  const seen = await send(api.port, "PUT", path("endless"), {}, endless()).then(
    ({ status }) => status,
    (error: NodeJS.ErrnoException) => error.code,
  );
  // The sender may see an error of its socket before the answer. The checks below matter: nothing was kept.
  expect([413, "EPIPE", "ECONNRESET"]).toContain(seen);
  await expect.poll(staged).toEqual([]);
  expect(blobs()).toBe(0);
});

test("64 simultaneous small uploads all succeed, and equal contents are stored once", async () => {
  const contents = Array.from({ length: 64 }, (_, i) => Buffer.from(`content ${i % 60}`));
  const answers = await Promise.all(
    contents.map((each, i) =>
      send(api.port, "PUT", path(`many/${i}`), { "content-length": each.length }, [each]),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(contents.map(() => 200));
  const read = await Promise.all(
    contents.map((_, i) => send(api.port, "GET", path(`many/${i}`))),
  );
  expect(read.map(({ body }) => body.toString())).toEqual(contents.map(String));
  expect(blobs()).toBe(60);
});

test.skipIf(process.platform !== "linux")(
  "a download that the client breaks off leaves no file open on the server",
  async () => {
    await send(api.port, "PUT", path("large"), {}, pieces(random(8 * MIB)));
    const before = openFiles();
    for (let i = 0; i < 20; i += 1) {
      await new Promise<void>((resolve, reject) => {
        const req = request(
          {
            host: "127.0.0.1",
            port: api.port,
            path: path("large"),
            headers: { authorization: LOGIN },
            agent: false,
          },
          (res) => {
            res.once("data", () => req.destroy());
            res.once("close", resolve);
            res.on("error", () => undefined);
          },
        );
        req.on("error", (error: NodeJS.ErrnoException) =>
          error.code === "ECONNRESET" ? resolve() : reject(error),
        );
        req.end();
      });
    }
    await expect.poll(openFiles).toBeLessThanOrEqual(before + 2);
    expect((await send(api.port, "HEAD", path("large"))).status).toBe(200);
  },
);

test("other requests do not wait for uploads", async () => {
  const directory = mkdtempSync(join(tmpdir(), "content-server-"));
  const server = await forkApi(directory);
  const content = random(4 * MIB);
  const bulk = Array.from({ length: 4 }, (_, i) =>
    send(server.port, "PUT", path(`bulk/${i}`), {}, repeated(content, 40)),
  );
  const small = Array.from({ length: 300 }, async (_, i) =>
    send(server.port, "PUT", path(`small/${i}`), {}, [Buffer.from(`small ${i}`)]),
  );
  const uploads = Promise.all([...bulk, ...small]);
  const running = { yes: true };
  const began = performance.now();
  void uploads.finally(() => (running.yes = false));
  const times: number[] = [];
  while (running.yes) {
    const start = performance.now();
    const { status } = await send(
      server.port,
      "GET",
      "/repository/api/repo/info/demo/files",
    );
    expect(status).toBe(200);
    times.push(performance.now() - start);
  }
  expect((await uploads).map(({ status }) => status)).toEqual(
    [...bulk, ...small].map(() => 200),
  );
  const took = performance.now() - began;
  await server.kill();
  rmSync(directory, { recursive: true, force: true });
  const sorted = times.toSorted((a, b) => a - b);
  console.log(
    `while 640 MiB and 300 small files came in in ${took.toFixed(0)} ms: ${sorted.length} answers, ` +
      `the longest after ${sorted.at(-1)?.toFixed(1)} ms`,
  );
  // An answer that waits for the uploads takes as long as they do.
  expect(sorted.at(-1)).toBeLessThan(0.75 * took);
});

function* repeated(bytes: Buffer, times: number): Generator<Buffer> {
  for (let i = 0; i < times; i += 1) yield* pieces(bytes, MIB);
}
