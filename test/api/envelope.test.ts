import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MESSAGES, messageOf } from "../../api/http/messages.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";

let api: TestApi;
beforeAll(() => {
  api = createTestApi();
});
afterAll(() => api.close());

const TASK = "/replication/api/task";

const ask = async (language: string) =>
  (
    await api.call("GET", `${TASK}/info/none`, {
      headers: { "accept-language": language },
    })
  ).message;

describe("the envelope of answers", () => {
  test.each([
    ["a valid request", "GET", "/replication/api/cluster/list", {}, 200, 0],
    ["malformed JSON", "POST", `${TASK}/create`, { body: '{"name":' }, 400, 250106],
    ["an empty body", "POST", `${TASK}/create`, { body: "" }, 400, 250106],
    ["a body of null", "POST", `${TASK}/create`, { body: "null" }, 400, 250106],
    [
      "a field of a wrong type",
      "POST",
      `${TASK}/copy`,
      { body: { name: 1, key: "k" } },
      400,
      250106,
    ],
    ["a missing field", "POST", `${TASK}/copy`, { body: { name: "n" } }, 400, 250106],
    ["an unknown route", "GET", "/replication/api/tasks", {}, 404, 250130],
    ["a slash at the end of a route", "GET", `${TASK}/page/p/`, {}, 404, 250130],
    ["a wrong method", "PUT", `${TASK}/copy`, { body: {} }, 405, 250112],
    [
      "a wrong media type",
      "POST",
      `${TASK}/copy`,
      { body: "name=n", headers: { "content-type": "text/plain" } },
      415,
      250119,
    ],
    [
      "a form, which is curl's default media type",
      "POST",
      `${TASK}/copy`,
      { body: "{}", headers: { "content-type": "application/x-www-form-urlencoded" } },
      415,
      250119,
    ],
    [
      "a body that is too long",
      "POST",
      `${TASK}/copy`,
      { body: { name: "n".repeat(70_000), key: "k" } },
      413,
      250106,
    ],
    [
      "a query value that is not a number",
      "GET",
      `${TASK}/page/p?pageSize=many`,
      {},
      400,
      250131,
    ],
    ["a page size of 1001", "GET", `${TASK}/page/p?pageSize=1001`, {}, 400, 250131],
    ["a page size of 0", "GET", `${TASK}/page/p?pageSize=0`, {}, 400, 250131],
    ["a negative page", "GET", `${TASK}/page/p?pageNumber=-1`, {}, 400, 250131],
    [
      "a query value that is not in the list",
      "GET",
      `${TASK}/page/p?lastExecutionStatus=DONE`,
      {},
      400,
      250131,
    ],
    [
      "a parameter given twice",
      "GET",
      `${TASK}/page/p?pageSize=1&pageSize=2`,
      {},
      400,
      250131,
    ],
    ["a missing parameter", "GET", "/replication/api/cluster/exist", {}, 400, 250103],
    [
      "a request without credentials",
      "GET",
      `${TASK}/page/p`,
      { login: null },
      401,
      250114,
    ],
    [
      "a request with a Bearer token",
      "GET",
      `${TASK}/page/p`,
      { headers: { authorization: "Bearer x" } },
      401,
      250114,
    ],
    [
      "an unknown route without credentials",
      "GET",
      "/nowhere",
      { login: null },
      401,
      250114,
    ],
    [
      "a health check without credentials",
      "GET",
      "/health/live",
      { login: null },
      200,
      0,
    ],
  ])(
    "%s is answered with an envelope of code, message, data and traceId",
    async (_case, method, path, call, status, code) => {
      const answer = await api.call(method, path, call);
      expect(Object.keys(JSON.parse(answer.text) as object).sort()).toEqual([
        "code",
        "data",
        "message",
        "traceId",
      ]);
      expect([answer.status, answer.code]).toEqual([status, code]);
      expect(answer.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(answer.headers.get("x-trace-id")).toBe(answer.traceId);
      expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
      expect([answer.message !== null, answer.data === null || code === 0]).toEqual([
        code !== 0,
        true,
      ]);
    },
  );

  test("a wrong method is refused, and the answer lists the methods that the path allows", async () => {
    const answer = await api.call("POST", `${TASK}/page/p`);
    expect(answer.headers.get("allow")).toBe("GET, HEAD");
    expect(
      (await api.call("OPTIONS", "/replication/api/cluster/tryConnect")).headers.get(
        "allow",
      ),
    ).toBe("GET, HEAD, POST");
  });

  test("an unexpected error is logged with its details and answered without them", async () => {
    const broken = createTestApi({
      checkCluster: async () => {
        throw new Error("the password hunter2 leaked");
      },
    });
    const answer = await broken.call("POST", "/replication/api/cluster/create", {
      body: { name: "nn", type: "REMOTE", url: "https://r.example" },
    });
    expect([answer.status, answer.code]).toEqual([500, 250102]);
    expect(answer.text).not.toContain("hunter2");
    const logged = broken.logs.find(({ level }) => level === "error");
    expect(logged?.facts).toMatchObject({
      traceId: answer.traceId,
      err: { message: "the password hunter2 leaked" },
    });
    broken.close();
  });

  test("each request is logged with its trace id and without its query", async () => {
    const answer = await api.call("GET", `${TASK}/page/p?name=secret`);
    const logged = api.logs.find(({ facts }) => facts["traceId"] === answer.traceId);
    expect(logged).toMatchObject({
      level: "info",
      facts: { method: "GET", path: `${TASK}/page/p?…`, status: 200 },
    });
    expect(logged?.facts["ms"]).toBeTypeOf("number");
    expect(JSON.stringify(api.logs)).not.toContain("secret");
  });

  test("messages are Chinese or English, as Accept-Language prefers", async () => {
    expect(await ask("zh-CN,zh;q=0.9,en;q=0.8")).toBe("同步任务[none]不存在");
    expect(await ask("en;q=0.9, zh;q=0.1")).toBe("replica task [none] is not found");
    expect(await ask("zh_CN")).toBe("同步任务[none]不存在");
    expect(await ask("fr, ja")).toBe("replica task [none] is not found");
    expect(await ask(";;q=x,,")).toBe("replica task [none] is not found");
  });

  test("every message exists in Chinese and English, with the same placeholders", () => {
    for (const code of Object.keys(MESSAGES).map(Number) as (keyof typeof MESSAGES)[]) {
      const { en, zh } = MESSAGES[code];
      expect([code, en.includes("{0}")]).toEqual([code, zh.includes("{0}")]);
      expect(messageOf(code, ["$&", "why"], "en")).toMatch(/why$/);
    }
  });
});

describe("the login", () => {
  test("the login asks for Basic credentials, and answers 401 to any but the admin's", async () => {
    const fresh = createTestApi();
    const logins = [
      "admin:",
      ":correct horse",
      "Admin:correct horse",
      "admin:correct horse\0",
    ];
    const answers = await Promise.all(
      logins.map((login) => fresh.call("GET", `${TASK}/page/p`, { login })),
    );
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401]);
    expect(answers[0]?.headers.get("www-authenticate")).toMatch(/^Basic realm="/);
    fresh.close();
  });

  test("the login answers right credentials at once while wrong ones wait", async () => {
    const guesses = Array.from({ length: 6 }, () =>
      api.call("GET", `${TASK}/page/p`, { login: "admin:guess" }),
    );
    const right = api.call("GET", `${TASK}/page/p`).then(({ status }) => status);
    const first = await Promise.race([Promise.all(guesses).then(() => "guesses"), right]);
    expect(first).toBe(200);
    await Promise.all(guesses);
  });
});

describe("the health check", () => {
  test("the health check answers 200 if each kind of process is up, and otherwise names the missing ones", async () => {
    const up = await api.call("GET", "/health/ready", { login: null });
    expect([up.status, up.data]).toEqual([
      200,
      { status: "UP", missing: [], reasons: [] },
    ]);
    const half = createTestApi({
      processes: () => ({
        temporal: true,
        searchAttributes: true,
        orchestrator: false,
        workers: 0,
      }),
    });
    const down = await half.call("GET", "/health/ready", { login: null });
    expect([down.status, down.data]).toEqual([
      503,
      {
        status: "DOWN",
        missing: ["orchestrator", "transfer worker"],
        reasons: [
          { part: "orchestrator", reason: expect.stringContaining("check the log") },
          { part: "transfer worker", reason: expect.stringContaining("npm run worker") },
        ],
      },
    ]);
    half.close();
  });

  test.each([
    ["answers 200 if only another machine has a worker", true, true, []],
    ["answers 503 if no worker runs on any machine", true, false, ["transfer worker"]],
    [
      "answers 503 if Temporal is away, which knows the workers",
      false,
      true,
      ["temporal", "transfer worker"],
    ],
  ])("the health check %s", async (_what, temporal, elsewhere, missing) => {
    const processes = () => ({
      temporal,
      searchAttributes: true,
      orchestrator: true,
      workers: 0,
    });
    const remote = createTestApi({
      processes,
      hasTransferWorker: async () => elsewhere,
    });
    const { status, data } = await remote.call("GET", "/health/ready", { login: null });
    expect([status, (data as { missing: string[] }).missing]).toEqual([
      missing.length === 0 ? 200 : 503,
      missing,
    ]);
    remote.close();
  });
});

describe("the API documentation", () => {
  test("the API documentation is a page that loads nothing from other hosts and runs no script", async () => {
    const { text, status, headers } = await api.call("GET", "/docs", { login: null });
    expect(status).toBe(200);
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(text).not.toMatch(/<script|<link|src=|@import|url\(/);
    for (const part of [
      "/replication/api/task/create",
      "replica task [{0}] is not found",
      "TaskInfo",
    ])
      expect(text).toContain(part);
  });

  test("the API documentation describes every route in OpenAPI 3.1, and its references resolve", async () => {
    const { text } = await api.call("GET", "/openapi.json", { login: null });
    const document = JSON.parse(text) as {
      openapi: string;
      paths: Record<string, object>;
      components: { schemas: Record<string, object> };
    };
    expect(document.openapi).toBe("3.1.0");
    const shape = (method: string, path: string) =>
      `${method.toUpperCase()} ${path.replaceAll(/:\w+|\{[^}]*\}|\*/g, "{}")}`;
    const described = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => shape(method, path)),
    );
    const served = api.app.routes.filter(
      ({ method, path }) =>
        method !== "ALL" && /^\/(replication|repository|generic|health)\//.test(path),
    );
    expect(described).toEqual(
      expect.arrayContaining([
        ...new Set(served.map(({ method, path }) => shape(method, path))),
      ]),
    );
    for (const [, name = ""] of text.matchAll(/#\/components\/schemas\/(\w+)/g))
      expect(document.components.schemas).toHaveProperty(name);
  });
});
