import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createClusterCheck } from "../../api/clusters/check-cluster.ts";
import type { ClusterAccess } from "../../api/deps.ts";
import { ADMIN, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { startRegistry } from "../rigs/servers/registries.ts";

let instance: TestApi;
const servers: Server[] = [];
const urls = { instance: "", website: "", moved: "", closed: "" };

async function listen(server: Server): Promise<string> {
  if (!server.listening) await once(server, "listening");
  servers.push(server);
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  instance = createTestApi();
  urls.instance = await listen(
    serve({ fetch: instance.app.fetch, hostname: "127.0.0.1", port: 0 }) as Server,
  );
  urls.website = await listen(
    createServer((_, answer) => answer.writeHead(404).end("nothing")).listen(
      0,
      "127.0.0.1",
    ),
  );
  urls.moved = await listen(
    createServer((_, answer) =>
      answer.writeHead(302, { location: "http://169.254.169.254/latest" }).end(),
    ).listen(0, "127.0.0.1"),
  );
  const closing = createServer().listen(0, "127.0.0.1");
  await once(closing, "listening");
  urls.closed = `http://127.0.0.1:${(closing.address() as AddressInfo).port}`;
  await new Promise((resolve) => closing.close(resolve));
});
afterAll(async () => {
  await Promise.all(
    servers.map((server) => new Promise((resolve) => server.close(resolve))),
  );
  instance.close();
});

const ask = createClusterCheck({});
const check = async (given: ClusterAccess) => (await ask(given))?.reason ?? null;
const access = (changes: Partial<ClusterAccess>): ClusterAccess => ({
  type: "STANDALONE",
  url: urls.instance,
  protocol: null,
  username: ADMIN.username,
  password: ADMIN.password,
  token: null,
  certificate: null,
  insecureSkipVerify: false,
  ...changes,
});

test("the connection test finds an instance reachable only if it answers and accepts the password", async () => {
  expect(await check(access({}))).toBeNull();
  const refused = await check(access({ password: "s3cret guess" }));
  expect(refused).toMatch(/127\.0\.0\.1.*(password|credentials|login)/i);
  expect(refused).not.toContain("s3cret");
  expect([
    (await ask(access({ password: "another" })))?.refused,
    (await ask(access({ url: urls.closed })))?.refused,
  ]).toEqual([true, false]);
  expect(await check(access({ url: urls.website }))).toMatch(/127\.0\.0\.1/);
  expect(await check(access({ url: urls.closed }))).toMatch(/127\.0\.0\.1/);
});

test.each(["wrong", "password", "user", "name", "or", "is", "http", "check"])(
  "the sentence about a wrong login at another instance stays whole when the password is %s",
  async (password) => {
    const said = await check(access({ password }));
    expect(said).toContain("(authentication required: user name or password is wrong)");
    expect(said).toBe(await check(access({ password: "zqxneutralxq" })));
  },
);

test("the connection test finds a registry reachable if it answers, whatever the status", async () => {
  expect(
    await check(
      access({ type: "REMOTE", url: urls.website, username: null, password: null }),
    ),
  ).toBeNull();
  expect(await check(access({ type: "REMOTE", url: urls.closed }))).toMatch(
    /127\.0\.0\.1/,
  );
});

const registry = await startRegistry("docker-registry", { auth: "htpasswd" });
afterAll(() => registry.stop());

test.skipIf(!registry.available)(
  "the connection test of an image registry fails if the registry refuses the given credentials",
  async () => {
    const at = { type: "REMOTE" as const, url: `${registry.url}/mirror` };
    expect(await check(access({ ...at, ...USER }))).toBeNull();
    expect(await check(access({ ...at, ...USER, password: "another" }))).toMatch(
      /127\.0\.0\.1.*(password|credentials|login)/i,
    );
    expect((await ask(access({ ...at, ...USER, password: "another" })))?.refused).toBe(
      true,
    );
    expect(await check(access({ ...at, username: null, password: null }))).toBeNull();
  },
);

test("the connection test refuses to follow a redirect to a metadata address", async () => {
  expect(await check(access({ type: "REMOTE", url: urls.moved }))).toMatch(
    /169\.254\.169\.254.*ALLOWED_ADDRESSES/,
  );
});

test("the connection test fails for a protocol that this release lacks, and advises to set ping to false", async () => {
  expect(
    await check(access({ type: "REMOTE", url: "s3://bucket", protocol: null })),
  ).toMatch(/S3.*ping false/);
  expect(
    await check(
      access({ type: "REMOTE", url: "file:///srv/carry", protocol: "DIRECTORY" }),
    ),
  ).toMatch(/DIRECTORY.*ping false/);
});
