import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createClusterCheck } from "../../api/clusters/check-cluster.ts";
import type { ClusterAccess } from "../../api/deps.ts";
import { ADMIN, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { USER } from "../rigs/servers/credentials.ts";
import { startRegistry, type RegistryKind } from "../rigs/servers/registries.ts";
import { startVerdaccio } from "../rigs/servers/verdaccio.ts";

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
const check = async (given: ClusterAccess) => (await ask(given))?.reason.en ?? null;
const access = (changes: Partial<ClusterAccess>): ClusterAccess => ({
  type: "STANDALONE",
  url: urls.instance,
  protocol: null,
  username: ADMIN.username,
  password: ADMIN.password,
  token: null,
  acceptedRealms: null,
  certificate: null,
  insecureSkipVerify: false,
  ...changes,
});
const NOBODY = { username: null, password: null };
const remote = (url: string, changes: Partial<ClusterAccess> = NOBODY): ClusterAccess =>
  access({ type: "REMOTE", url, ...changes });

test("the connection test finds an instance reachable only if it answers and accepts the password", async () => {
  expect(await check(access({}))).toBeNull();
  const refused = await check(access({ password: "s3cret guess" }));
  expect(refused).toMatch(/^not authenticated: 127\.0\.0\.1.*password/);
  expect(refused).not.toContain("s3cret");
  expect([
    (await ask(access({ password: "another" })))?.refused,
    (await ask(access({ url: urls.closed })))?.refused,
  ]).toEqual([true, false]);
  expect(await check(access({ url: urls.website }))).toMatch(
    /^not the right product: .*127\.0\.0\.1/,
  );
  expect(await check(access({ url: urls.closed }))).toMatch(
    /^not reachable: .*127\.0\.0\.1/,
  );
});

test.each(["wrong", "password", "user", "name", "or", "is", "http", "check"])(
  "the sentence about a wrong login at another instance stays whole when the password is %s",
  async (password) => {
    const said = await check(access({ password }));
    expect(said).toContain("(authentication required: user name or password is wrong)");
    expect(said).toBe(await check(access({ password: "zqxneutralxq" })));
  },
);

test("the connection test finds a server that is no registry to be the wrong product", async () => {
  expect(await check(remote(urls.website))).toMatch(
    /^not the right product: 127\.0\.0\.1/,
  );
  expect(await check(remote(urls.closed))).toMatch(/^not reachable: .*127\.0\.0\.1/);
});

const KINDS: RegistryKind[] = ["docker-registry", "distribution", "gcr"];
const open = await Promise.all(KINDS.map((kind) => startRegistry(kind)));
const withBasic = await startRegistry("docker-registry", { auth: "htpasswd" });
const withTokens = await startRegistry("docker-registry", { auth: "token" });
const packages = await startVerdaccio();
afterAll(async () => {
  const all = [...open, withBasic, withTokens, packages];
  await Promise.all(all.map(({ stop }) => stop()));
});

describe.each(open)("the connection test at $kind", (registry) => {
  test.skipIf(!registry.available)(
    "the connection test accepts a registry that takes uploads, and leaves no repository behind",
    async () => {
      for (const path of ["", "/team"])
        for (const protocol of [null, "OCI"] as const)
          expect(
            await check(remote(registry.url + path, { ...NOBODY, protocol })),
          ).toBeNull();
      const catalog = await fetch(`${registry.url}/v2/_catalog`);
      expect(await catalog.text()).not.toContain("replication-check");
      const left = readdirSync(registry.data, { recursive: true, withFileTypes: true });
      // The registry `distribution` writes the state of a hash, named 0, when it closes an upload that was deleted.
      const files = left.filter((each) => each.isFile() && each.name !== "0");
      expect(files.map(({ name }) => name)).toEqual([]);
    },
  );
});

test.skipIf(!withBasic.available)(
  "the connection test of an image registry fails without the credentials that it demands",
  async () => {
    for (const registry of [withBasic, withTokens]) {
      const to = (changes: Partial<ClusterAccess>) =>
        remote(`${registry.url}/mirror`, { acceptedRealms: registry.realms, ...changes });
      expect(await check(to(USER))).toBeNull();
      const wrong = to({ ...USER, password: "another" });
      expect(await check(wrong)).toMatch(/^not authenticated: 127\.0\.0\.1.*password/);
      expect((await ask(wrong))?.refused).toBe(true);
      expect(await check(to(NOBODY))).toMatch(
        /^not authenticated: 127\.0\.0\.1.* demands a login, and none was given/,
      );
      expect(await check(remote(registry.url))).toMatch(/demands a login/);
    }
  },
);

test.skipIf(!withTokens.available)(
  "the connection test fails for a login that may only pull, where the url names the namespace",
  async () => {
    const { settings } = withTokens.tokens ?? {};
    const access = { ...USER, acceptedRealms: withTokens.realms };
    try {
      Object.assign(settings ?? {}, { withheld: "push" });
      expect(await check(remote(`${withTokens.url}/mirror`, access))).toMatch(
        /^not allowed: 127\.0\.0\.1.*does not let this login push to mirror\/replication-check/,
      );
      expect(await check(remote(withTokens.url, access))).toBeNull();
    } finally {
      Object.assign(settings ?? {}, { withheld: null });
    }
  },
);

test.skipIf(!packages.available)(
  "the connection test accepts an npm registry with its login only, whether or not the cluster names the protocol",
  async () => {
    for (const protocol of [null, "NPM"] as const) {
      expect(await check(remote(packages.url, { ...USER, protocol }))).toBeNull();
      const byToken = { ...NOBODY, token: await packages.token(), protocol };
      expect(await check(remote(packages.url, byToken))).toBeNull();
      expect(await check(remote(packages.url, { ...NOBODY, protocol }))).toMatch(
        /^not authenticated: 127\.0\.0\.1.*demands a login/,
      );
      expect(
        await check(remote(packages.url, { ...USER, password: "another", protocol })),
      ).toMatch(/^not authenticated: 127\.0\.0\.1.*login/);
    }
    expect(await check(remote(packages.url, { ...USER, protocol: "OCI" }))).toMatch(
      /^not the right product: 127\.0\.0\.1/,
    );
  },
);

test("the connection test refuses to follow a redirect to a metadata address", async () => {
  expect(await check(remote(urls.moved))).toMatch(
    /169\.254\.169\.254.*ALLOWED_ADDRESSES/,
  );
});

test("the connection test fails for a protocol that this release lacks, and advises to set ping to false", async () => {
  expect(await check(remote("s3://bucket"))).toMatch(/S3.*ping false/);
  expect(
    await check(remote("file:///srv/carry", { ...NOBODY, protocol: "DIRECTORY" })),
  ).toMatch(/DIRECTORY.*ping false/);
});
