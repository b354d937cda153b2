import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createInternalCaller } from "../../activities/internal-call.ts";
import { createRemoteSource } from "../../activities/store/remote-source.ts";
import {
  createInternalSigner,
  digestHeaders,
} from "../../activities/secrets/internal.ts";
import { createWorkers } from "../../api/internal/workers.ts";
import { KEY, WORKER } from "../rigs/api/api-fixture.ts";
import { ask, type Passed, startBetween, type Told } from "../rigs/api/between.ts";
import { random, read, sha256 } from "../rigs/api/content-fixture.ts";
import { sendRaw, startApi } from "../rigs/api/socket-fixture.ts";

const PATH = "/internal/v1/worker";
const USED = { used: { SHARED: 3, QUICK: 0, WHOLE: 0, ALONE: 0 } };
const content = random(100_000);

let api: Awaited<ReturnType<typeof startApi>>;
let between: Awaited<ReturnType<typeof startBetween>>;
const callers: { close: () => Promise<void> }[] = [];

beforeAll(async () => {
  api = await startApi();
  await api.deps.store.putAll([{ content }], () => undefined);
  between = await startBetween(api.url);
});
afterEach(async () => {
  between.change.request = (passed) => passed;
  between.change.answer = (told) => told;
  for (const caller of callers.splice(0)) await caller.close();
});
afterAll(async () => {
  await between.close();
  await api.close();
});

/** Opens a worker's side whose requests pass the server between. */
function openCaller(identity = WORKER, disturbedMs?: number) {
  const refusals: string[] = [];
  const caller = createInternalCaller(
    {
      apiUrl: between.url,
      identity,
      name: "far/1",
      onRefused: (reason) => refusals.push(reason),
    },
    disturbedMs,
  );
  callers.push(caller);
  return { ...caller, refusals };
}

const OTHER = { ...WORKER, secret: KEY.replace("0", "1") };
const signer = createInternalSigner(WORKER);
const BODY = Buffer.from(JSON.stringify(USED));

/** A signed request; each one is new. */
const signed = (more: Record<string, string> = {}): Passed => ({
  method: "POST",
  path: PATH,
  body: BODY,
  headers: {
    "content-type": "application/json",
    ...signer.headers("POST", PATH, BODY, { "x-internal-worker": "far/1", ...more }),
  },
});

describe("a request of a worker", () => {
  test("a request of a worker is good once, and its repetition is refused with a signed answer", async () => {
    const request = signed();
    const header = (name: string) => String(request.headers[name] ?? "");
    const [first, second] = [
      await ask(api.url, request),
      await ask(api.url, request),
    ].map(({ status, headers, body }) => ({
      status,
      said: body.toString(),
      isSigned: signer.isAnswer(
        { ...request, header },
        { status, header: (name) => String(headers[name] ?? "") },
      ),
    }));
    expect([first?.status, first?.isSigned]).toEqual([200, true]);
    expect([second?.status, second?.isSigned]).toEqual([409, true]);
    expect(second?.said).toMatch(/came before/);
  });

  const longer = Buffer.concat([BODY, Buffer.from(" ")]);
  const changed = (headers: Record<string, string>) => (request: Passed) => ({
    ...request,
    headers: { ...request.headers, ...headers },
  });
  test.each<[what: string, change: (request: Passed) => Passed, status: number]>([
    ["method", (request) => ({ ...request, method: "PUT" }), 401],
    ["path", (request) => ({ ...request, path: "/internal/v1/metrics" }), 401],
    ["query", (request) => ({ ...request, path: `${PATH}?x=1` }), 401],
    ["time", changed({ "x-internal-time": String(Date.now() + 1) }), 401],
    ["nonce", changed({ "x-internal-nonce": `${"a".repeat(24)}.1` }), 401],
    ["digest", changed(digestHeaders(longer)), 401],
    ["length", changed({ "x-internal-content-length": "3" }), 401],
    ["worker", changed({ "x-internal-worker": "near/1" }), 401],
    ["range", changed({ range: "bytes=1-" }), 401],
    ["protocol", changed({ "x-internal-protocol": "5" }), 426],
    [
      "body, with the same length",
      (r) => ({ ...r, body: Buffer.alloc(BODY.length) }),
      400,
    ],
    ["body, longer", (request) => ({ ...request, body: longer }), 413],
    ["body, shorter", (request) => ({ ...request, body: BODY.subarray(1) }), 400],
  ])(
    "a request of a worker is refused when somebody changes its %s",
    async (_what, change, status) => {
      const answer = await ask(api.url, change(signed()));
      expect(answer.status).toBe(status);
      // Who changes a request must not get signed words for its sender.
      const isSigned = answer.headers["x-internal-signature"] !== undefined;
      expect(isSigned).toBe(![401, 426].includes(status));
    },
  );

  test.each([
    ["unsigned", {}, 426],
    ["signed with another key", createInternalSigner(OTHER), 401],
    ["longer than its route takes", signer, 413],
  ])(
    "a request that is %s is answered before any of its body is sent",
    async (_what, { headers }: Partial<typeof signer>, status) => {
      const length = 16 * 1024 ** 2;
      const stated = headers?.("POST", PATH, Buffer.alloc(length)) ?? {};
      const head = [
        `POST ${PATH} HTTP/1.1`,
        "Host: localhost",
        "Connection: close",
        `Content-Length: ${length}`,
        ...Object.entries(stated).map(([name, value]) => `${name}: ${value}`),
      ];
      const answer = await sendRaw(api.port, `${head.join("\r\n")}\r\n\r\n`);
      expect(answer.status).toBe(status);
    },
  );

  test("a name that a stranger gives to a worker is kept only in its beginning", () => {
    const kept: string[] = [];
    const workers = createWorkers(
      { error: (facts: object) => void kept.push(JSON.stringify(facts)) },
      { refused: (_refusal, worker) => void kept.push(worker), accepted: () => {} },
    );
    const problem = { refusal: "key", message: "the signature is wrong" } as const;
    workers.refused(problem, "x".repeat(10_000), "192.0.2.1");
    expect(kept.map((text) => text.length < 300)).toEqual([true, true]);
  });

  test("a worker of an older release is told the version that both need", async () => {
    const answer = await ask(api.url, {
      ...signed(),
      headers: { "x-internal-protocol": "5", "x-internal-signature": "0".repeat(64) },
    });
    expect([answer.status, answer.headers["x-refused"]]).toEqual([426, "protocol"]);
    expect(answer.body.toString()).toMatch(
      /version 5 .* version 6: .* the same release, and .*WORKER_TOKEN/,
    );
  });
});

describe("a worker", () => {
  test.each<[what: string, change: (told: Told) => Told]>([
    ["another body", (told) => ({ ...told, body: Buffer.from('{"instanceId":"evil"}') })],
    ["a body that was cut", (told) => ({ ...told, body: told.body.subarray(1) })],
    ["another status", (told) => ({ ...told, status: 201 })],
    ["no signature", ({ status, body }) => ({ status, body, headers: {} })],
    [
      "another digest with its body",
      ({ status, headers }) => {
        const body = Buffer.from('{"instanceId":"evil"}');
        return { status, body, headers: { ...headers, ...digestHeaders(body) } };
      },
    ],
    ...[401, 426, 404, 500, 502].map((status): [string, (told: Told) => Told] => [
      `an unsigned ${status}`,
      () => ({ status, body: Buffer.from("no"), headers: { "x-refused": "clock" } }),
    ]),
  ])("a worker does not believe %s, and tries again", async (_what, change) => {
    const caller = openCaller();
    await caller.call("GET", PATH);
    between.change.answer = change;
    await expect(caller.call("GET", PATH)).rejects.toMatchObject({
      kind: "unreachable",
      retryable: true,
    });
    expect(caller.refusals).toEqual([]);
    between.change.answer = (told) => told;
    expect(await caller.call("GET", PATH)).toMatchObject({
      instanceId: "0123456789ab",
    });
  });

  test("a worker does not believe the answer to an earlier request", async () => {
    const caller = openCaller();
    const told: Told[] = [];
    between.change.answer = (each) => {
      told.push(each);
      return told[0] ?? each;
    };
    await caller.call("GET", PATH);
    await expect(caller.call("GET", PATH)).rejects.toMatchObject({
      kind: "unreachable",
    });
    expect(told).toHaveLength(2);
  });

  test("a worker believes the refusal of a control plane with another key once it has lasted", async () => {
    const patient = openCaller(OTHER);
    await expect(patient.call("GET", PATH)).rejects.toMatchObject({
      kind: "unreachable",
      codes: ["UNSIGNED", "OTHER_KEY"],
    });
    expect(patient.refusals).toEqual([]);
    const tired = openCaller(OTHER, 0);
    await expect(tired.call("GET", PATH)).rejects.toMatchObject({ kind: "refused" });
    expect(tired.refusals).toHaveLength(1);
  });

  test("a worker finds out when content is changed on its way, and when another size is stated", async () => {
    const source = createRemoteSource(openCaller().open);
    expect(await read((await source.open(sha256(content))).stream)).toEqual(content);
    between.change.answer = (told) => ({ ...told, body: random(content.length) });
    const { stream } = await source.open(sha256(content));
    await expect(read(stream)).rejects.toMatchObject({ kind: "unreachable" });
    await expect(source.readSmall([])).rejects.toMatchObject({ kind: "unreachable" });
    between.change.answer = (told) => ({
      ...told,
      headers: { ...told.headers, "x-content-size": "5" },
    });
    for (const range of [undefined, { start: 10 }])
      await expect(source.open(sha256(content), range)).rejects.toMatchObject({
        kind: "unreachable",
      });
  });
});
