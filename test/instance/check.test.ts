import type { RequestListener } from "node:http";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { instance } from "../../activities/registries/connectors.ts";
import type { End } from "../../activities/registries/contract.ts";
import type { Check } from "../../domain/check.ts";
import { plainEnd } from "../registries/conformance/writing.ts";
import { ADMIN } from "../rigs/api/api-fixture.ts";
import { startAnswering, type AnsweringServer } from "../rigs/servers/answering.ts";
import {
  clientOf,
  startInstance,
  type Instance,
} from "../rigs/transfer/instance-fixture.ts";

let target: Instance;
const servers: AnsweringServer[] = [];

beforeEach(async () => {
  target = await startInstance();
});

afterEach(async () => {
  await target.stop();
  target.remove();
  await Promise.all(servers.splice(0).map(({ stop }) => stop()));
});

async function serverThat(answer: RequestListener): Promise<string> {
  const server = await startAnswering(answer);
  servers.push(server);
  return server.url;
}

const check = (url: string, changes: Partial<End> = {}): Promise<Check> =>
  instance.check(
    plainEnd(url, { ...ADMIN, ...changes }),
    "WRITE",
    AbortSignal.timeout(10_000),
  );

const verdicts = ({ reachable, product, authenticated, allowed }: Check) => [
  reachable.ok,
  product.ok,
  authenticated.ok,
  allowed.ok,
];

describe("the connection check", () => {
  it("the connection check finds an instance by its URL, with or without scheme and trailing slash", async () => {
    for (const url of [target.url, `${target.url}/`, target.url.replace("http://", "")]) {
      const found = await check(url);
      expect(verdicts(found)).toEqual([true, true, true, true]);
      expect(found.product.message.en).toContain("target");
    }
  });

  it("the connection check reports a wrong password without repeating it", async () => {
    const found = await check(target.url, { password: "wrong-secret" });
    expect(verdicts(found)).toEqual([true, null, false, null]);
    expect(found.authenticated.message.en).toMatch(/password.*401/);
    expect(JSON.stringify(found)).not.toContain("wrong-secret");
  });

  it("the connection check reports that nothing listens at the address", async () => {
    const found = await check("http://127.0.0.1:1");
    expect(verdicts(found)).toEqual([false, null, null, null]);
    expect(found.reachable.message.en).toContain("ECONNREFUSED");
  });

  it.each<[string, RequestListener]>([
    [
      "answers 404 to everything",
      (_, answer) => answer.writeHead(404).end("no such page"),
    ],
    ["answers 405 to everything", (_, answer) => answer.writeHead(405).end()],
    ["answers everything with a page", (_, answer) => answer.end("<html>Welcome</html>")],
    ["answers everything with an empty list", (_, answer) => answer.end("[]")],
    [
      "answers with another JSON envelope",
      (_, answer) => answer.end('{"code":0,"message":null,"data":{"version":1}}'),
    ],
    [
      "is an image registry",
      (_, answer) =>
        answer
          .writeHead(404, { "content-type": "application/json" })
          .end('{"errors":[{"code":"NOT_FOUND"}]}'),
    ],
  ])(
    "the connection check reports that a server is not an instance of this product if it %s",
    async (_name, listener) => {
      const found = await check(await serverThat(listener));
      expect(verdicts(found)).toEqual([true, false, null, null]);
      expect(found.product.message.en).toContain("not an instance of this product");
    },
  );

  it("the connection check reports an instance with another protocol version", async () => {
    const data = {
      product: "artifact-replication",
      version: 2,
      name: "n",
      limits: {},
      repositoryTypes: [],
    };
    const url = await serverThat((_, answer) =>
      answer.end(JSON.stringify({ code: 0, message: null, data, traceId: "" })),
    );
    const found = await check(url);
    expect(verdicts(found)).toEqual([true, false, null, null]);
    expect(found.product.message.en).toContain("version 2");
  });

  it("the connection check reports an instance that answers 503 and one that does not answer", async () => {
    const down = await check(
      await serverThat((_, answer) =>
        answer.writeHead(503, { "retry-after": "7" }).end(),
      ),
    );
    expect(verdicts(down)).toEqual([false, null, null, null]);
    expect(down.reachable.message.en).toContain("503");
    const silent = await check(await serverThat(() => undefined), { idleTimeoutMs: 300 });
    expect(verdicts(silent)).toEqual([false, null, null, null]);
    expect(silent.reachable.message.en).toContain("silent");
  });

  it("the connection check refuses metadata addresses, and a client refuses ftp URLs", async () => {
    const found = await check("http://169.254.169.254");
    expect(verdicts(found)).toEqual([false, null, null, null]);
    expect(found.reachable.message.en).toContain("ALLOWED_ADDRESSES");
    expect(() => clientOf("ftp://example.org")).toThrow("is not an http(s) URL");
  });
});
