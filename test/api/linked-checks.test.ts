import type { RequestListener } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { CheckStep } from "../../domain/check.ts";
import { unique } from "../rigs/runs/run-fixture.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import {
  registryThat,
  startAnswering,
  type AnsweringServer,
} from "../rigs/servers/answering.ts";
import { USER } from "../rigs/servers/credentials.ts";

let api: TestApi;
const servers: AnsweringServer[] = [];
beforeAll(async () => {
  api = createTestApi();
  const body = { name: "demo", displayName: "Demo" };
  await api.call("POST", "/repository/api/project/create", { body });
});
afterAll(() => api.close());
afterEach(async () => {
  await Promise.all(servers.splice(0).map(({ stop }) => stop()));
});

type Link = { type?: "OCI" | "NPM"; credentials?: object };
type Checked = Record<CheckStep, { ok: boolean | null; message: string }>;

/** Links a repository to a server that answers as given, and tests the connection in a language. */
async function connect(
  listener: RequestListener,
  { type = "OCI", credentials }: Link,
  language: string,
): Promise<Checked> {
  const server = await startAnswering(listener);
  servers.push(server);
  const name = unique("linked");
  const configuration = { type: "remote", url: server.url, credentials };
  const body = { projectId: "demo", name, type, category: "REMOTE", configuration };
  await api.call("POST", "/repository/api/repo/create", { body });
  const path = `/repository/api/repo/tryConnect/demo/${name}`;
  const headers = { "accept-language": language };
  return (await api.call("GET", path, { headers })).data as Checked;
}

const always =
  (status: number, body: string): RequestListener =>
  (_, response) =>
    void response.writeHead(status).end(body);
const WRONG = { username: "alice", password: "not-her-password" };

const FAILURES: [string, RequestListener, Link, CheckStep, en: RegExp, zh: RegExp][] = [
  [
    "answers with a page",
    always(200, "<html>"),
    {},
    "product",
    /check host/,
    /请检查 url/,
  ],
  ["answers with {}", always(200, "{}"), {}, "product", /cannot exist/, /不可能存在/],
  ["has nothing", always(404, "nothing"), {}, "product", /check host/, /请检查 url/],
  [
    "demands a login",
    registryThat({ login: "basic" }),
    {},
    "authenticated",
    /set username and password/,
    /请设置 username/,
  ],
  [
    "refuses the login",
    registryThat({ login: "basic" }),
    { credentials: WRONG },
    "authenticated",
    /check username and password/,
    /请检查 username/,
  ],
  [
    "refuses the login at its token server",
    registryThat({ login: "token" }),
    { credentials: WRONG },
    "authenticated",
    /check username and password/,
    /请检查 username/,
  ],
  [
    "does not list",
    registryThat({}),
    { credentials: USER },
    "allowed",
    /packageConstraints/,
    /packageConstraints/,
  ],
  ["is out of order", always(503, ""), {}, "reachable", /503/, /请确认服务正在运行/],
  [
    "answers with {}",
    always(200, "{}"),
    { type: "NPM" },
    "product",
    /check host/,
    /请检查 url/,
  ],
  [
    "demands a login",
    always(401, ""),
    { type: "NPM" },
    "authenticated",
    /set username and password/,
    /请设置 username/,
  ],
];

test.each(FAILURES)(
  "the test of a linked repository whose server %s names the step and the remedy in both languages (%#)",
  async (_name, listener, link, step, en, zh) => {
    for (const [language, words] of [
      ["en", en],
      ["zh", zh],
    ] as const) {
      const found = await connect(listener, link, language);
      const failed = Object.entries(found).filter(([, { ok }]) => ok === false);
      expect(failed.map(([name]) => name)).toEqual([step]);
      expect(found[step].message).toMatch(words);
      expect(JSON.stringify(found)).not.toContain(WRONG.password);
    }
  },
);

test("the test of a linked repository without a login accepts a registry that everybody may read", async () => {
  const found = await connect(registryThat({ login: "token" }), {}, "en");
  expect([found.reachable.ok, found.product.ok, found.authenticated.ok]).toEqual([
    true,
    true,
    true,
  ]);
});
