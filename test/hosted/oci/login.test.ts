import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  createRegistryTokens,
  type RegistryScope,
} from "../../../activities/secrets/registry-token.ts";
import { basic } from "../../rigs/api/api-fixture.ts";
import { makeBlob, makeImage } from "../../rigs/servers/images.ts";
import {
  codeOf,
  LOGIN,
  startImages,
  type Images,
} from "../../rigs/api/oci-server-fixture.ts";
import { sendRaw } from "../../rigs/api/socket-fixture.ts";

let api: Images;
const clock = { ahead: 0 };
beforeAll(async () => {
  api = await startImages({
    registryTokens: createRegistryTokens(
      "0123456789abcdef0123456789abcdef",
      () => Date.now() + clock.ahead,
    ),
  });
  await api.push("team/images/app", "v1", makeImage());
});
afterAll(() => api.close());

const challengeOf = (answer: { headers: Headers }) =>
  answer.headers.get("www-authenticate") ?? "";
const bearer = (scopes: RegistryScope[]) => ({
  login: null,
  headers: { authorization: `Bearer ${api.deps.registryTokens.issue(scopes, 60)}` },
});

type Token = {
  token: string;
  access_token: string;
  expires_in: number;
  issued_at: string;
};

describe("the login of image clients", () => {
  test("the challenge names the token service, which issues a token for the requested scopes", async () => {
    const refused = await api.http("GET", "/v2/", { login: null });
    expect([refused.status, codeOf(refused), challengeOf(refused)]).toEqual([
      401,
      "UNAUTHORIZED",
      `Bearer realm="${api.url}/v2/token",service="artifact-replication"`,
    ]);
    const login = (
      await api.http(
        "GET",
        "/v2/token?account=admin&client_id=docker&offline_token=true&service=artifact-replication",
      )
    ).json as Token;
    expect(login).toMatchObject({
      access_token: login.token,
      expires_in: 900,
      issued_at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(
      (await api.http("GET", "/v2/", { login: `Bearer ${login.token}` })).status,
    ).toBe(200);

    const pull = await api.http("GET", "/v2/team/images/app/manifests/v1", {
      login: null,
    });
    const [, scope = ""] = /scope="([^"]+)"/.exec(challengeOf(pull)) ?? [];
    expect(scope).toBe("repository:team/images/app:pull");
    const { token } = (
      await api.http(
        "GET",
        `/v2/token?service=artifact-replication&scope=${encodeURIComponent(scope)}`,
      )
    ).json as Token;
    expect(
      (
        await api.http("GET", "/v2/team/images/app/manifests/v1", {
          login: `Bearer ${token}`,
        })
      ).status,
    ).toBe(200);
  });

  test("the challenge names the scopes that are needed for push, mount, catalog and delete", async () => {
    const scopeFor = async (method: string, path: string) =>
      /scope="([^"]+)"/.exec(
        challengeOf(await api.http(method, path, { login: null })),
      )?.[1];
    expect(await scopeFor("POST", "/v2/team/images/app/blobs/uploads/")).toBe(
      "repository:team/images/app:pull,push",
    );
    expect(
      await scopeFor(
        "POST",
        "/v2/team/images/app/blobs/uploads/?mount=sha256:x&from=team/docker/base",
      ),
    ).toBe("repository:team/images/app:pull,push repository:team/docker/base:pull");
    expect(await scopeFor("DELETE", "/v2/team/images/app/manifests/v1")).toBe(
      "repository:team/images/app:delete",
    );
    expect(await scopeFor("GET", "/v2/_catalog")).toBe("registry:catalog:*");
  });

  test("the token service accepts OAuth 2 with a password, and several scopes in one or more parameters", async () => {
    const form = (fields: Record<string, string>) => ({
      login: null,
      body: new URLSearchParams(fields).toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    const right = {
      grant_type: "password",
      service: "x",
      client_id: "containerd",
      username: "admin",
      password: "correct horse",
    };
    const scope =
      "repository:team/images/app:pull,push repository:team/docker/a:pull repository:team/images/b:*";
    const { access_token } = (
      await api.http("POST", "/v2/token", form({ ...right, scope }))
    ).json as Token;
    expect(api.deps.registryTokens.check(access_token)).toEqual([
      { name: "team/images/app", actions: ["pull", "push"] },
      { name: "team/docker/a", actions: ["pull"] },
      { name: "team/images/b", actions: ["pull", "push", "delete"] },
    ]);
    expect(
      (await api.http("POST", "/v2/token", form({ ...right, password: "wrong" }))).status,
    ).toBe(401);
    expect(
      (
        await api.http(
          "POST",
          "/v2/token",
          form({ ...right, grant_type: "refresh_token" }),
        )
      ).status,
    ).toBe(400);
    expect(
      (await api.http("POST", "/v2/token", form({ grant_type: "password" }))).status,
    ).toBe(401);
    const several = (
      await api.http(
        "GET",
        "/v2/token?scope=repository:team/images/a:pull&scope=repository:team/images/b:push" +
          "&scope=nonsense&scope=registry:catalog:*",
      )
    ).json as Token;
    expect(api.deps.registryTokens.check(several.token)?.map(({ name }) => name)).toEqual(
      ["team/images/a", "team/images/b", "registry:catalog"],
    );
  });

  test("the challenge's realm begins with PUBLIC_URL, and never contains an invalid Host header", async () => {
    const raw = await sendRaw(
      api.port,
      'GET /v2/ HTTP/1.1\r\nHost: a",evil="b\r\nConnection: close\r\n\r\n',
    );
    expect(raw.headers).not.toContain("evil");
    const behind = await startImages({ publicUrl: "https://images.example/" });
    expect(challengeOf(await behind.http("GET", "/v2/", { login: null }))).toContain(
      'realm="https://images.example/v2/token"',
    );
    await behind.close();
  });
});

describe("registry tokens", () => {
  test("registry tokens allow only the actions and the image of their scopes", async () => {
    const call = bearer([{ name: "team/images/app", actions: ["pull"] }]);
    expect((await api.http("GET", "/v2/team/images/app/tags/list", call)).status).toBe(
      200,
    );
    const wanted: [string, string][] = [
      ["POST", "/v2/team/images/app/blobs/uploads/"],
      ["PUT", "/v2/team/images/app/manifests/v2"],
      ["DELETE", "/v2/team/images/app/manifests/v1"],
      ["GET", "/v2/team/images/other/tags/list"],
      ["GET", "/v2/team/images/app/blobs/uploads/00000000-0000-0000-0000-000000000000"],
      ["GET", "/v2/_catalog"],
    ];
    for (const [method, path] of wanted) {
      const answer = await api.http(method, path, call);
      expect([answer.status, challengeOf(answer)]).toEqual([
        401,
        expect.stringContaining('error="insufficient_scope"'),
      ]);
    }
    expect((await api.http("GET", "/repository/api/project/list", call)).status).toBe(
      401,
    );
    expect(await api.tags("team/images/app")).toEqual(["v1"]);
  });

  test("a mount without the right to pull its source becomes an ordinary upload", async () => {
    const blob = makeBlob(100);
    await api.putBlob("team/docker/secret", blob);
    const path = `/v2/team/images/app/blobs/uploads/?mount=${blob.digest}&from=team/docker/secret`;
    const push: RegistryScope = { name: "team/images/app", actions: ["pull", "push"] };
    expect((await api.http("POST", path, bearer([push]))).status).toBe(202);
    expect(
      (await api.http("HEAD", `/v2/team/images/app/blobs/${blob.digest}`)).status,
    ).toBe(404);
    expect(
      (
        await api.http(
          "POST",
          path,
          bearer([push, { name: "team/docker/secret", actions: ["pull"] }]),
        )
      ).status,
    ).toBe(201);
  });

  test("registry tokens are refused when they have expired or were changed", async () => {
    const token = api.deps.registryTokens.issue([], 60);
    const path = "/v2/";
    expect((await api.http("GET", path, { login: `Bearer ${token}` })).status).toBe(200);
    const [payload = "", signature = ""] = token.split(".");
    const more = Buffer.from(
      JSON.stringify({
        scopes: [{ name: "team/images/app", actions: ["delete"] }],
        expires: 9e15,
      }),
    ).toString("base64url");
    const foreign = createRegistryTokens("another key").issue([], 60);
    for (const forged of [
      `${more}.${signature}`,
      `${payload}.`,
      payload,
      `${payload}.${signature}x`,
      `${token}.x`,
      foreign,
      "x",
      "..",
      "null.null",
    ]) {
      const answer = await api.http("GET", path, { login: `Bearer ${forged}` });
      expect([answer.status, challengeOf(answer)]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ]);
    }
    clock.ahead = 61_000;
    expect((await api.http("GET", path, { login: `Bearer ${token}` })).status).toBe(401);
    clock.ahead = 0;
  });
});

describe("Basic credentials", () => {
  test("Basic credentials work on all image endpoints; each wrong login is refused later than the last", async () => {
    const own = await startImages();
    for (let i = 0; i < 50; i += 1)
      expect(
        (await own.http("GET", i % 2 === 0 ? "/v2/" : "/v2/token", { login: null }))
          .status,
      ).toBe(401);
    expect(
      (await own.http("GET", "/v2/token", { login: null })).headers.get(
        "www-authenticate",
      ),
    ).toContain("Basic");
    const took = async (path: string) => {
      const start = performance.now();
      const answer = await own.http("GET", path, { login: basic("admin:wrong") });
      expect([answer.status, codeOf(answer)]).toEqual([401, "UNAUTHORIZED"]);
      return performance.now() - start;
    };
    for (const path of ["/v2/", "/v2/token", "/v2/team/images/app/tags/list"])
      await took(path);
    expect(await took("/v2/")).toBeGreaterThan(300);
    expect((await own.http("GET", "/v2/", { login: LOGIN })).status).toBe(200);
    await own.close();
  });
});

test("a token does not open another image by a path with dot segments or double slashes", async () => {
  const { headers } = bearer([{ name: "team/images/app", actions: ["pull"] }]);
  const get = (path: string) =>
    sendRaw(
      api.port,
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\nConnection: close\r\n\r\n`,
    );
  await api.push("team/images/private", "v1", makeImage());
  const paths = [
    "/v2/team/images/app/../private/tags/list",
    "/v2/team/images/app/%2e%2e/private/tags/list",
    "/v2/team/images/app/..%2fprivate/tags/list",
    "/v2/../v2/team/images/private/tags/list",
    "//v2/team/images/private/tags/list",
    "/generic/../v2/team/images/private/tags/list",
  ];
  for (const path of paths) {
    const { status } = await get(path);
    expect([path, [400, 401, 404].includes(status)]).toEqual([path, true]);
  }
  const away = await get("/v2/../generic/demo/files/x");
  expect(away.status).toBe(401);
});
