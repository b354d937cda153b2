import { once } from "node:events";
import type { RequestListener } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createClusterCheck } from "../../api/clusters/check-cluster.ts";
import type { ClusterAccess } from "../../api/deps.ts";
import { chineseOf } from "../../domain/chinese/reason.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { CLUSTER } from "../rigs/api/checked-clusters.ts";
import {
  registryThat,
  startAnswering,
  token,
  type AnsweringServer,
} from "../rigs/servers/answering.ts";
import { USER } from "../rigs/servers/credentials.ts";

const always =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);
const PAGE = always(200, "<!doctype html><title>Welcome</title>", {
  "content-type": "text/html",
});
const loginPage: RequestListener = (request, response) =>
  request.url === "/login"
    ? PAGE(request, response)
    : void response.writeHead(302, { location: "/login" }).end();
const WRONG = { username: "alice", password: "not-her-password" };
const NPM = { protocol: "NPM" };
const INSTANCE = { type: "STANDALONE" };

type Case = [name: string, RequestListener, object, en: RegExp, zh: RegExp];

const PRODUCT = /^.*: not the right product: .*answers.*check .*url/;
const PRODUCT_ZH = /：产品不符：.*有应答.*请检查 url/;
const NO_LOGIN = /: not authenticated: .*demands a login.*set username and password/;
const NO_LOGIN_ZH = /：认证失败：.*需要登录.*请设置 username 和 password/;
const REFUSED = /: not authenticated: .*does not accept the login: check username/;
const REFUSED_ZH = /：认证失败：.*不接受该凭据：请检查 username/;
const NO_PASSWORD = /: not authenticated: .*has a username and no password: set password/;
const NO_PASSWORD_ZH = /：认证失败：.*有 username 但没有 password：请设置 password/;
const PUSH = /: not allowed: .*push to team\/replication-check: give it the right/;
const PUSH_ZH = /：没有权限：.*推送到 team\/replication-check：请授予推送权限/;
const NO_UPLOADS = /: not allowed: .*takes no uploads: check whether it is read-only/;
const NO_UPLOADS_ZH = /：没有权限：.*不接受上传：请检查/;

const REFUSALS: Case[] = [
  ["answers everything with a page", PAGE, {}, PRODUCT, PRODUCT_ZH],
  ["answers everything with {}", always(200, "{}"), {}, PRODUCT, PRODUCT_ZH],
  ["has nothing", always(404, "nothing"), {}, PRODUCT, PRODUCT_ZH],
  ["redirects to a login page", loginPage, {}, PRODUCT, PRODUCT_ZH],
  [
    "accepts uploads without an address",
    registryThat({ upload: { status: 201 } }),
    { protocol: "OCI" },
    /not the right product: .*the header Location/,
    /产品不符：.*Location/,
  ],
  ["demands a login", registryThat({ login: "basic" }), {}, NO_LOGIN, NO_LOGIN_ZH],
  [
    "demands a login and says nothing else",
    always(401, "", { "www-authenticate": 'Basic realm="r"' }),
    {},
    NO_LOGIN,
    NO_LOGIN_ZH,
  ],
  [
    "gives everybody a token that is good for nothing",
    registryThat({ login: "token", pushToken: token("pull") }),
    {},
    NO_LOGIN,
    NO_LOGIN_ZH,
  ],
  ["refuses the login", registryThat({ login: "basic" }), WRONG, REFUSED, REFUSED_ZH],
  [
    "refuses a login without a password",
    registryThat({ login: "token" }),
    { username: "alice" },
    NO_PASSWORD,
    NO_PASSWORD_ZH,
  ],
  [
    "refuses a login without a password",
    always(401, '{"error":"who?"}'),
    { ...NPM, username: "alice" },
    NO_PASSWORD,
    NO_PASSWORD_ZH,
  ],
  [
    "refuses a login without a password",
    always(401, ""),
    { ...INSTANCE, username: "alice" },
    NO_PASSWORD,
    NO_PASSWORD_ZH,
  ],
  [
    "has a token server that refuses the login",
    registryThat({ login: "token" }),
    WRONG,
    REFUSED,
    REFUSED_ZH,
  ],
  [
    "gives a token without the right to push",
    registryThat({ login: "token", pushToken: token("pull") }),
    USER,
    PUSH,
    PUSH_ZH,
  ],
  [
    "refuses a token for pushing",
    registryThat({ login: "token", pushToken: { status: 403, code: "DENIED" } }),
    USER,
    PUSH,
    PUSH_ZH,
  ],
  [
    "answers 403 to uploads",
    registryThat({ login: "basic", upload: { status: 403, code: "DENIED" } }),
    USER,
    PUSH,
    PUSH_ZH,
  ],
  [
    "says that it takes no uploads",
    registryThat({ upload: { status: 405, code: "UNSUPPORTED" } }),
    {},
    NO_UPLOADS,
    NO_UPLOADS_ZH,
  ],
  [
    "fails at uploads",
    registryThat({ upload: { status: 500, code: "UNKNOWN" } }),
    {},
    NO_UPLOADS,
    NO_UPLOADS_ZH,
  ],
  [
    "is out of order",
    always(503, ""),
    {},
    /: not reachable: .*503/,
    /：无法访问：.*请确认服务正在运行.*503/,
  ],
  ["answers everything with a page", PAGE, NPM, PRODUCT, PRODUCT_ZH],
  ["answers everything with {}", always(200, "{}"), NPM, PRODUCT, PRODUCT_ZH],
  ["demands a login", always(401, '{"error":"who?"}'), NPM, NO_LOGIN, NO_LOGIN_ZH],
  [
    "demands another login",
    always(401, '{"error":"who?"}'),
    { ...NPM, ...WRONG },
    REFUSED,
    REFUSED_ZH,
  ],
  ["answers everything with a page", PAGE, INSTANCE, PRODUCT, PRODUCT_ZH],
  ["is an image registry", registryThat({}), INSTANCE, PRODUCT, /：产品不符：.*REMOTE/],
  ["demands a login", always(401, ""), INSTANCE, NO_LOGIN, NO_LOGIN_ZH],
  ["refuses the login", always(401, ""), { ...INSTANCE, ...WRONG }, REFUSED, REFUSED_ZH],
  [
    "is out of order",
    always(503, ""),
    INSTANCE,
    /: not reachable: .*503/,
    /：无法访问：.*503/,
  ],
];

let api: TestApi;
const servers: AnsweringServer[] = [];
beforeAll(() => {
  api = createTestApi({ checkCluster: createClusterCheck({}) });
});
afterAll(() => api.close());
afterEach(async () => {
  await Promise.all(servers.splice(0).map(({ stop }) => stop()));
});

async function attach(listener: RequestListener, changes: object, language: string) {
  const server = await startAnswering(listener);
  servers.push(server);
  return api.call("POST", `${CLUSTER}/create`, {
    body: { name: unique("c"), type: "REMOTE", url: `${server.url}/team`, ...changes },
    headers: { "accept-language": language },
  });
}

test.each(REFUSALS)(
  "a cluster that %s is refused with the step, the host and a remedy in both languages (%#)",
  async (_name, listener, changes, en, zh) => {
    for (const [language, words] of [
      ["en", en],
      ["zh-CN", zh],
    ] as const) {
      const answer = await attach(listener, changes, language);
      expect(answer).toMatchObject({ status: 400, code: 250301 });
      expect(answer.message).toMatch(words);
      expect(answer.message).toContain("127.0.0.1");
      expect(answer.text).not.toContain(WRONG.password);
    }
  },
);

const WORKS: [string, RequestListener, object][] = [
  ["takes an upload", registryThat({}), {}],
  ["takes an upload with a token", registryThat({ login: "token" }), USER],
  ["has no greeting but takes uploads", registryThat({ greeting: { status: 404 } }), {}],
  [
    "greets with a page but takes uploads",
    registryThat({ greeting: { status: 200, body: "<html>" } }),
    {},
  ],
  [
    "says of a missing manifest that it is forbidden",
    registryThat({ manifest: { status: 403, code: "DENIED" } }),
    {},
  ],
  [
    "must know a project first",
    registryThat({ upload: { status: 404, code: "NAME_UNKNOWN" } }),
    {},
  ],
  [
    "does not like the name of the test",
    registryThat({ upload: { status: 400, code: "NAME_INVALID" } }),
    {},
  ],
  ["answers 405 without a reason", registryThat({ upload: { status: 405 } }), {}],
  ["demands fewer requests", always(429, ""), {}],
  ["demands fewer uploads", registryThat({ upload: { status: 429 } }), {}],
  ["is an npm registry that knows no ping", always(404, '{"error":"not found"}'), NPM],
  [
    "is an npm registry whose refusals are objects with codes",
    always(404, '{"error":{"code":404,"message":"no such package"}}'),
    NPM,
  ],
  ["is a busy instance", always(429, ""), INSTANCE],
];

test.each(WORKS)(
  "a cluster that %s may work in a run and is not refused (%#)",
  async (_name, listener, changes) => {
    const answer = await attach(listener, changes, "en");
    expect([answer.message, answer.code]).toEqual([null, 0]);
  },
);

test("a registry without a path in its url may refuse the test's name to a good login, but not to nobody", async () => {
  const server = await startAnswering(
    registryThat({ login: "token", pushToken: token("pull") }),
  );
  servers.push(server);
  const create = (changes: object) =>
    api.call("POST", `${CLUSTER}/create`, {
      body: { name: unique("c"), type: "REMOTE", url: server.url, ...changes },
    });
  expect(await create(USER)).toMatchObject({ code: 0 });
  expect((await create({})).message).toMatch(NO_LOGIN);
});

test("a login that a registry refuses is sent to it twice, and twice more as to an npm registry", async () => {
  const server = await startAnswering(registryThat({ login: "token" }));
  servers.push(server);
  const url = `${server.url}/team`;
  const logins: string[] = [];
  const { answer } = server;
  server.answer = (request, response) => {
    if (request.headers.authorization?.startsWith("Basic ") === true)
      logins.push(request.url ?? "");
    answer(request, response);
  };
  const check = createClusterCheck({});
  const access: Omit<ClusterAccess, "protocol"> = {
    type: "REMOTE",
    url,
    ...WRONG,
    token: null,
    acceptedRealms: null,
    certificate: null,
    insecureSkipVerify: false,
  };
  const refusals = [];
  for (const protocol of ["OCI", null] as const) {
    refusals.push(
      (await check({ ...access, protocol }))?.refused,
      logins.splice(0).length,
    );
  }
  expect(refusals).toEqual([true, 2, true, 4]);
});

test("a server that answers and then is silent is too slow, not unreachable", async () => {
  const server = await startAnswering((request, response) => {
    if (request.url === "/v2/" && request.headers.authorization === undefined)
      registryThat({ login: "basic" })(request, response);
  });
  servers.push(server);
  const problem = await createClusterCheck(
    {},
    Date.now,
    3_000,
  )({
    type: "REMOTE",
    url: server.url,
    protocol: "OCI",
    ...USER,
    token: null,
    acceptedRealms: null,
    certificate: null,
    insecureSkipVerify: false,
  });
  expect(problem).toMatchObject({ refused: false });
  expect(problem?.reason.en).toMatch(/^127\.0\.0\.1:\d+ answers too slowly: .* 3 s/);
  expect(chineseOf(problem?.reason.en ?? "")).toBe(problem?.reason.zh);
});

test("a port at which something else than HTTP answers is said to be one, in both languages", async () => {
  const settings = Buffer.from("000000040000000000", "hex");
  const server = createServer((socket) => {
    socket.on("error", () => undefined).end(settings);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  try {
    for (const type of ["REMOTE", "STANDALONE"])
      for (const [language, words] of [
        ["en", /not reachable: .*answers, but not in HTTP: check the port/],
        ["zh-CN", /无法访问：.*有应答，但不是 HTTP：请检查 url 的端口/],
      ] as const) {
        const { message } = await api.call("POST", `${CLUSTER}/create`, {
          body: { name: unique("c"), type, url: `http://127.0.0.1:${port}` },
          headers: { "accept-language": language },
        });
        expect(message).toMatch(words);
      }
  } finally {
    server.close();
  }
});
