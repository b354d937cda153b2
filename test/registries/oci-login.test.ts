import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import {
  parseChallenges,
  preferredChallenge,
} from "../../activities/registries/oci/challenge.ts";
import { createOciRegistry } from "../../activities/registries/oci/registry.ts";
import { closeServers, serve } from "./http-rig.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { copy, openEnds } from "../rigs/transfer/image-fixture.ts";
import { selfSigned, USER } from "../rigs/servers/credentials.ts";
import {
  makeBlob,
  makeImage,
  missingParts,
  pushImage,
  readManifest,
} from "../rigs/servers/images.ts";
import { startProxy } from "../rigs/servers/proxy.ts";
import { startRegistry, type RegistryKind } from "../rigs/servers/registries.ts";

const basic = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString("base64")}`;

describe("a login challenge", () => {
  test("a login challenge is parsed completely from a header with several login methods", () => {
    const header =
      'Negotiate, Basic realm="a \\"b\\", c=d", ' +
      'Bearer realm="https://auth.example/token",service=reg , scope="repository:x:pull,push"';
    const read = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    expect(read).toEqual([
      ["negotiate", {}],
      ["basic", { realm: 'a "b", c=d' }],
      [
        "bearer",
        {
          realm: "https://auth.example/token",
          service: "reg",
          scope: "repository:x:pull,push",
        },
      ],
    ]);
    expect(preferredChallenge(header)?.scheme).toBe("bearer");
    expect(
      ["", ",,,", "=", '"', "Digest realm=x"].map((text) => preferredChallenge(text)),
    ).toEqual(Array(5).fill(undefined));
  });

  test("a Bearer challenge is preferred in any position, else Basic; Bearer without a realm is ignored", () => {
    const bearer = 'Bearer realm="https://auth.example/token",scope=,service="reg"';
    for (const before of [
      "Negotiate",
      "Negotiate YIIZ/+ab==",
      "NTLM TlRM/a=",
      'Digest realm="a, Basic b", qop="auth,auth-int"',
      "Basic realm=x",
    ]) {
      const found = preferredChallenge([before, bearer].join(", "));
      expect([
        before,
        found?.scheme,
        Object.fromEntries(found?.parameters ?? []),
      ]).toEqual([
        before,
        "bearer",
        { realm: "https://auth.example/token", scope: "", service: "reg" },
      ]);
    }
    expect(preferredChallenge("Negotiate, Basic")?.scheme).toBe("basic");
    expect(preferredChallenge('Bearer, Basic realm="x"')?.scheme).toBe("basic");
  });

  test.each(["Negotiate", "NTLM"])(
    "a login challenge is found in the second header field when the first one is %s",
    async (first) => {
      const server = createServer((request, response) => {
        const isIn = request.headers.authorization === basic;
        response
          .writeHead(
            isIn ? 404 : 401,
            isIn ? {} : { "www-authenticate": [first, 'Basic realm="x"'] },
          )
          .end();
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const address = server.address();
      const registry = createOciRegistry({
        url: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
        ...USER,
      });
      expect(await registry.headManifest("name", "tag")).toBeNull();
      await registry.close();
      server.close().closeAllConnections();
    },
  );

  test("a token that is longer than any header may be is refused", async () => {
    const url = await serve((request, response) => {
      const isAsked = request.url?.startsWith("/token") === true;
      const realm = `Bearer realm="${url}/token",service="x"`;
      response.writeHead(isAsked ? 200 : 401, { "www-authenticate": realm });
      response.end(JSON.stringify({ token: "x".repeat(20_000) }));
    });
    const registry = createOciRegistry({ url, ...USER });
    await expect(registry.headManifest("name", "tag")).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("has more than 16384 letters"),
    });
    await registry.close();
    closeServers();
  });

  test("a challenge that demands the password without TLS is refused if the registry has TLS", async () => {
    const folder = mkdtempSync(join(tmpdir(), "challenge-"));
    const files = selfSigned(folder);
    const proxy = await startProxy("http://127.0.0.1:9", {
      tls: {
        key: readFileSync(files.key, "utf8"),
        cert: readFileSync(files.certificate, "utf8"),
      },
    });
    proxy.fault = () => ({
      kind: "answer",
      status: 401,
      headers: {
        "www-authenticate": 'Bearer realm="http://127.0.0.1:9/token",service="x"',
      },
    });
    const registry = createOciRegistry({
      url: proxy.url,
      insecureSkipVerify: true,
      ...USER,
    });
    await expect(registry.headManifest("name", "tag")).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringContaining("without TLS, so the password is not sent"),
    });
    await registry.close();
    await proxy.stop();
    rmSync(folder, { recursive: true });
  });
});

describe.each(["docker-registry", "distribution"] as RegistryKind[])(
  "the login at %s",
  async (kind) => {
    const plain = await startRegistry(kind);
    const withBasic = await startRegistry(kind, { auth: "htpasswd" });
    const withTokens = await startRegistry(kind, { auth: "token" });
    const tokens = withTokens.tokens;
    afterAll(() => Promise.all([plain.stop(), withBasic.stop(), withTokens.stop()]));
    beforeEach(() => {
      tokens?.requests.splice(0);
      Object.assign(tokens?.settings ?? {}, { lifeSeconds: 300, field: "token" });
    });

    describe.skipIf(!plain.available)("a client with credentials", () => {
      test("a client with a Basic login copies an image into and out of the registry", async () => {
        const image = makeImage({ layers: [100, 100_000] });
        const [name, targetName] = [unique("in-"), unique("out-")];
        await pushImage(plain.url, name, "latest", image);
        const into = openEnds(plain.url, { url: withBasic.url, ...USER });
        expect((await copy({ ...into, name })).result).toEqual({ kind: "sent" });
        expect(
          await missingParts(withBasic.url, name, image, { authorization: basic }),
        ).toEqual([]);
        const out = openEnds({ url: withBasic.url, ...USER }, plain.url);
        expect((await copy({ ...out, name, targetName })).result).toEqual({
          kind: "sent",
        });
        await Promise.all([into.close(), out.close()]);
      });

      test("a client requests one token for each repository and scope, and another after its expiry", async () => {
        const [one, two, three] = [unique("one-"), unique("two-"), unique("three-")];
        const names = [one, two];
        for (const name of names)
          await pushImage(
            plain.url,
            name,
            "latest",
            makeImage({ layers: [100, 200, 100_000] }),
          );
        const ends = openEnds(plain.url, {
          url: withTokens.url,
          realms: withTokens.realms,
          ...USER,
        });
        const outcomes = await Promise.all(names.map((name) => copy({ ...ends, name })));
        expect(outcomes.map(({ result }) => result.kind)).toEqual(["sent", "sent"]);
        expect(tokens?.requests.map(({ scopes }) => scopes).toSorted()).toEqual([
          [`repository:${one}:pull,push`],
          [`repository:${two}:pull,push`],
        ]);

        Object.assign(tokens?.settings ?? {}, { lifeSeconds: 1, field: "access_token" });
        await pushImage(plain.url, three, "latest", makeImage());
        await copy({ ...ends, name: three });
        const before = tokens?.requests.length ?? 0;
        await expect
          .poll(async () => {
            await ends.to.headManifest(three, "latest");
            return (tokens?.requests.length ?? 0) > before;
          })
          .toBe(true);
        await ends.close();
      });

      test("a client requests a token with the right to read the repository that it mounts from", async () => {
        const base = makeBlob(100_000);
        const [a, b] = [unique("mount/a-"), unique("mount/b-")];
        for (const name of [a, b])
          await pushImage(plain.url, name, "latest", makeImage({ layers: [base] }));
        const ends = openEnds(plain.url, {
          url: withTokens.url,
          realms: withTokens.realms,
          ...USER,
        });
        await copy({ ...ends, name: a });
        const outcome = await copy({ ...ends, name: b });
        expect(outcome.bytesSent).toBeLessThan(2_000);
        expect(tokens?.requests.map(({ scopes }) => scopes)).toContainEqual([
          `repository:${b}:pull,push`,
          `repository:${a}:pull`,
        ]);
        await ends.close();
      });

      test("a wrong password fails a copy permanently, and the reason has advice and no secret", async () => {
        await pushImage(plain.url, "refused", "latest", makeImage());
        for (const rig of [withBasic, withTokens]) {
          const wrong = "not-the-password";
          const ends = openEnds(plain.url, {
            url: rig.url,
            realms: rig.realms,
            username: USER.username,
            password: wrong,
          });
          const { result } = await copy({ ...ends, name: "refused" });
          expect(result).toMatchObject({
            kind: "failed",
            conflict: false,
            stopsCluster: false,
          });
          const reason = "reason" in result ? result.reason : "";
          expect(reason).toMatch(/answered 401.*check username, password/);
          expect(reason).not.toContain(wrong);
          const check = await ends.to.check({ name: "refused", use: "WRITE" });
          expect([check.reachable.ok, check.authenticated.ok, check.allowed.ok]).toEqual([
            true,
            false,
            null,
          ]);
          await ends.close();
        }
        const anonymous = openEnds(withTokens.url, plain.url);
        expect((await copy({ ...anonymous, name: "refused" })).result).toMatchObject({
          kind: "failed",
        });
        await anonymous.close();
      });

      test("checking a login answers separately for reachability, login and permission", async () => {
        const registry = createOciRegistry({
          url: withTokens.url,
          realms: withTokens.realms,
          ...USER,
          pushes: true,
        });
        const push = await registry.check({ name: "checked", use: "WRITE" });
        expect([push.reachable.ok, push.authenticated.ok, push.allowed.ok]).toEqual([
          true,
          true,
          true,
        ]);
        expect((await registry.check({ name: null, use: "WRITE" })).allowed.ok).toBe(
          true,
        );
        await registry.close();
      });

      test("a login is not sent to another host that a redirect names", async () => {
        const seen: (string | undefined)[] = [];
        const image = makeImage({ layers: [200_000] });
        const name = unique("moved-");
        await pushImage(withBasic.url, name, "latest", image, {
          authorization: basic,
        });
        const storage = createServer((request, response) => {
          seen.push(request.headers.authorization);
          const blob = image.blobs.find(({ digest }) => request.url?.includes(digest));
          response.writeHead(blob === undefined ? 404 : 200).end(blob?.bytes);
        }).listen(0, "localhost");
        await once(storage, "listening");
        const address = storage.address();
        const port = typeof address === "object" ? address?.port : 0;
        const proxy = await startProxy(withBasic.url);
        proxy.fault = ({ method, path }) =>
          method === "GET" && path.includes("/blobs/sha256")
            ? {
                kind: "answer",
                status: 307,
                headers: { location: `http://localhost:${port}${path}?signature=secret` },
              }
            : null;
        const ends = openEnds({ url: proxy.url, ...USER }, plain.url);
        expect((await copy({ ...ends, name })).result).toEqual({ kind: "sent" });
        expect(await readManifest(plain.url, name, "latest")).not.toBeNull();
        expect(seen).toEqual([undefined, undefined]);
        await ends.close();
        await proxy.stop();
        storage.close();
      });
    });
  },
);
