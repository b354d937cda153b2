import { afterEach, describe, expect, test } from "vitest";
import { createOciRegistry } from "../../activities/registries/oci/registry.ts";
import { retryAfterTime } from "../../activities/registries/http-failure.ts";
import type { TransferError } from "../../domain/failure.ts";
import { ask, closeServers, serve } from "./http-rig.ts";

afterEach(closeServers);

describe("errors of the HTTP client", () => {
  test.each([
    [401, "auth", false],
    [403, "auth", false],
    [404, "notFound", false],
    [408, "timeout", true],
    [409, "invalid", false],
    [413, "tooLarge", false],
    [429, "throttled", true],
    [500, "server", true],
    [501, "unsupported", false],
    [503, "server", true],
    [507, "noSpace", false],
  ] as const)(
    "an answer with status %i becomes an error of kind %s",
    async (status, kind, retryable) => {
      const url = await serve((_request, response) =>
        response.writeHead(status).end("why"),
      );
      await expect(ask(url)).rejects.toMatchObject({
        kind,
        retryable,
        message: expect.stringMatching(
          new RegExp(`^the thing: http://.* answered ${status} \\(why\\)`),
        ),
      });
    },
  );

  test("an error message shows one short line of the body, and neither query nor secret", async () => {
    const url = await serve((request, response) =>
      response
        .writeHead(400)
        .end(`bad\n\tlogin ${request.headers.authorization} ${"x".repeat(100_000)}`),
    );
    const failure = ask(
      `${url}/path?token=hidden`,
      { headers: { authorization: "Basic aGlkZGVu" } },
      { secrets: ["aGlkZGVu"] },
    );
    await expect(failure).rejects.toMatchObject({
      message: expect.stringContaining("/path answered 400 (bad login Basic *** xxx"),
    });
    const message = await failure.then(
      () => "",
      (error: Error) => error.message,
    );
    expect(message.length).toBeLessThan(500);
    expect(message).not.toMatch(/hidden|aGlkZGVu/);
  });

  test("an error carries the answer's error codes: each once, few, short and without secrets", async () => {
    const url = await serve((_request, response) => response.writeHead(400).end("why"));
    const many = Array.from({ length: 100 }, (_, at) => `CODE_${at}`);
    const errorCodes = () => [
      "BLOB_UNKNOWN",
      "BLOB_UNKNOWN",
      "of hidden",
      "x".repeat(1_000),
      ...many,
    ];
    const codes: unknown = await ask(url, { errorCodes }, { secrets: ["hidden"] }).catch(
      (error: unknown) => (error as TransferError).codes,
    );
    expect(codes).toEqual([
      "BLOB_UNKNOWN",
      "of ***",
      "x".repeat(64),
      ...many.slice(0, 17),
    ]);
    await expect(ask(url)).rejects.toMatchObject({ codes: undefined });
  });

  test("a server that is silent for the idle time causes a timeout error, before and within the body", async () => {
    const silent = await serve(() => undefined);
    await expect(ask(silent, {}, { idleTimeoutMs: 1_000 })).rejects.toMatchObject({
      kind: "timeout",
      message: expect.stringContaining("was silent"),
    });
    const half = await serve(
      (_request, response) =>
        void response.writeHead(200, { "content-length": "100" }).write("half"),
    );
    await expect(ask(half, {}, { idleTimeoutMs: 1_000 })).rejects.toMatchObject({
      kind: "timeout",
    });
  });

  test("a network error says what to check", async () => {
    await expect(ask("http://127.0.0.1:9/")).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("ECONNREFUSED"),
    });
    await expect(ask("http://no-such-host.invalid/")).rejects.toMatchObject({
      kind: "unreachable",
      message: expect.stringContaining("cannot be resolved"),
    });
    const plain = await serve((_request, response) => response.end());
    await expect(ask(plain.replace("http:", "https:"))).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("does not answer in TLS"),
    });
  });

  test("stopping a request ends it with an error of kind cancelled", async () => {
    const silent = await serve(() => undefined);
    await expect(ask(silent, { signal: AbortSignal.timeout(50) })).rejects.toMatchObject({
      kind: "cancelled",
    });
  });

  test("reading a body stops with an error when it exceeds the limit", async () => {
    const url = await serve((_request, response) => response.end("x".repeat(2_000_000)));
    await expect(ask(url)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("more than the 1000000 bytes"),
    });
  });
});

test("a code that the protocol defines stays whole when it is the password, and its echo is hidden", async () => {
  const url = await serve((_request, response) =>
    response
      .writeHead(403, { "content-type": "application/json" })
      .end(JSON.stringify({ errors: [{ code: "DENIED", message: "you sent DENIED" }] })),
  );
  const registry = createOciRegistry({ url, username: "mallory", password: "DENIED" });
  await expect(registry.getManifest("app", "v1")).rejects.toMatchObject({
    message: expect.stringContaining("answered 403 (DENIED: you sent ***): check"),
    codes: ["DENIED"],
  });
  await registry.close();
});

test("Retry-After is read as seconds or as a date, and is at most ten minutes away", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfterTime("30", now)).toBe(now + 30_000);
  expect(retryAfterTime("Thu, 01 Jan 2026 00:01:00 GMT", now)).toBe(now + 60_000);
  expect(retryAfterTime("86400", now)).toBe(now + 600_000);
  expect(
    ["0", "soon", "-5", "Wed, 31 Dec 2025 00:00:00 GMT", undefined].map((value) =>
      retryAfterTime(value, now),
    ),
  ).toEqual(Array(5).fill(undefined));
});
