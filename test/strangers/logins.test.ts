import { Agent, request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createTrust } from "../../api/http/client.ts";
import { ADMIN, basic } from "../rigs/api/api-fixture.ts";
import { LOGIN, startApi } from "../rigs/api/socket-fixture.ts";

type Api = Awaited<ReturnType<typeof startApi>>;
type Answer = { status: number; headers: Record<string, unknown>; body: string };
const LIST = "/replication/api/cluster/list";
const GUESSERS = 130;

/** Sends GET requests over kept connections; a broken connection counts as status 0. */
function client() {
  const agent = new Agent({ keepAlive: true, maxSockets: 400 });
  const get = (api: Api, headers: Record<string, string>, path = LIST) =>
    new Promise<Answer>((resolve) => {
      request(api.url + path, { agent, headers }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }),
        );
      })
        .on("error", () => resolve({ status: 0, headers: {}, body: "" }))
        .end();
    });
  return { get, close: () => agent.destroy() };
}

const guess = () => ({ authorization: basic(`admin:${Math.random()}`) });

describe("while 130 connections guess passwords", () => {
  let api: Api;
  const strangers = client();
  const stop = new AbortController();
  const answered: number[] = [];
  const begun = Date.now();
  let guessing: Promise<unknown>;

  beforeAll(async () => {
    api = await startApi();
    guessing = Promise.all(
      Array.from({ length: GUESSERS }, async () => {
        while (!stop.signal.aborted)
          answered.push((await strangers.get(api, guess())).status);
      }),
    );
    while (!answered.includes(429)) await strangers.get(api, {});
  });
  afterAll(async () => {
    stop.abort();
    strangers.close();
    await guessing;
    await api.close();
  });

  test("the right password of the same address is never refused, on new and on kept connections", async () => {
    const kept = client();
    for (let tries = 0; tries < 100; tries += 1) {
      const honest = tries % 2 === 0 ? kept : client();
      expect((await honest.get(api, { authorization: LOGIN })).status).toBe(200);
      if (honest !== kept) honest.close();
    }
    kept.close();
    expect(new Set(answered)).toEqual(new Set([...new Set(answered)].filter(isRefusal)));
  });

  test("a dropped guess is answered 429 with Retry-After, and loses its connection", async () => {
    const own = client();
    const guesses = Array.from({ length: 150 }, () => own.get(api, guess()));
    const dropped = await Promise.any(
      guesses.map(async (each) => {
        const answer = await each;
        if (answer.status !== 429) throw new Error(String(answer.status));
        return answer;
      }),
    );
    expect(dropped.headers).toMatchObject({ "retry-after": "5", connection: "close" });
    expect(dropped.body).toMatch(/250124.*too many wrong logins/);
    own.close();
    await Promise.all(guesses);
  });

  test("the log has a line for each of the first refusals with address and name, and no password", async () => {
    const refused = api.logs.filter(({ message }) => message === "refused");
    expect(refused.length).toBeGreaterThan(0);
    const minutes = Math.ceil((Date.now() - begun) / 60_000) + 1;
    expect(refused.length).toBeLessThanOrEqual(120 * minutes);
    expect(refused[0]).toMatchObject({
      level: "warn",
      facts: { address: "127.0.0.1", user: "admin", path: LIST, status: 401 },
    });
    expect(JSON.stringify(api.logs)).not.toMatch(/0\.\d{6}|correct horse/);
  });
});

test("requests without a login leave the log its lines of refusals, which show no password as a name", async () => {
  const api = await startApi();
  for (let at = 0; at < 130; at += 1) await fetch(`${api.url}/health/live`);
  for (let at = 0; at < 130; at += 1) await fetch(`${api.url}/docs`);
  const alone = Buffer.from("the-real-password").toString("base64");
  await fetch(api.url + LIST, { headers: { authorization: `Basic ${alone}` } });
  const refused = api.logs.filter(({ message }) => message === "refused");
  expect(refused.map(({ facts }) => [facts["status"], facts["user"]])).toEqual([
    [401, ""],
  ]);
  expect(JSON.stringify(api.logs)).not.toContain("the-real-password");
  await api.close();
});

const isRefusal = (status: number) => [0, 401, 429].includes(status);

describe("a client's address", () => {
  const address = async (api: Api, headers: Record<string, string>) => {
    const own = client();
    const before = api.logs.length;
    await own.get(api, { ...headers, authorization: LOGIN });
    own.close();
    return api.logs.slice(before).find(({ message }) => message === "answered")?.facts[
      "address"
    ];
  };

  test("X-Forwarded-For of a client that is no trusted proxy is not believed", async () => {
    const api = await startApi();
    const given = { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" };
    expect(await address(api, given)).toBe("127.0.0.1");
    await api.close();
  });

  test.each([
    ["one hop", { "x-forwarded-for": "192.0.2.1" }, "192.0.2.1"],
    [
      "what a client has put before it",
      { "x-forwarded-for": "198.51.100.1, 192.0.2.1" },
      "192.0.2.1",
    ],
    [
      "another trusted proxy",
      { "x-forwarded-for": "192.0.2.1, 10.1.2.3, 10.4.5.6" },
      "192.0.2.1",
    ],
    ["trusted proxies alone", { "x-forwarded-for": "10.1.2.3, 10.4.5.6" }, "10.1.2.3"],
    ["an address with a port", { "x-forwarded-for": "192.0.2.1:4711" }, "192.0.2.1"],
    ["an IPv6 address", { "x-forwarded-for": "2001:db8::7" }, "2001:db8::7"],
    ["a mapped address", { "x-forwarded-for": "::ffff:192.0.2.1" }, "192.0.2.1"],
    ["no address", { "x-forwarded-for": "unknown" }, "127.0.0.1"],
    ["nothing", {}, "127.0.0.1"],
    ["Forwarded", { forwarded: 'for=evil;proto=http, for="192.0.2.1:1"' }, "192.0.2.1"],
    [
      "Forwarded with IPv6",
      { forwarded: 'For="[2001:db8::7]:4711";proto=https' },
      "2001:db8::7",
    ],
    [
      "Forwarded with an open quote of the client",
      { forwarded: 'for="1.1.1.1, for=192.0.2.1' },
      "192.0.2.1",
    ],
    [
      "both headers, which agree",
      { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1" },
      "192.0.2.1",
    ],
    [
      "both headers, one of which the client wrote",
      { "x-forwarded-for": "192.0.2.1", forwarded: "for=1.1.1.1" },
      "127.0.0.1",
    ],
  ])("behind trusted proxies, with %s", async (_what, headers, expected) => {
    const api = await startApi({
      isTrustedProxy: createTrust(["127.0.0.1/32", "10.0.0.0/8"]),
    });
    expect(await address(api, headers)).toBe(expected);
    await api.close();
  });

  test("clients behind a trusted proxy are slowed down one by one", async () => {
    const api = await startApi({ isTrustedProxy: createTrust(["127.0.0.0/8"]) });
    const own = client();
    const wrong = async (from: string) => {
      const start = performance.now();
      await own.get(api, { ...guess(), "x-forwarded-for": from });
      return performance.now() - start;
    };
    for (let tries = 0; tries < 5; tries += 1) await wrong("192.0.2.1");
    const [slow, quick] = await Promise.all([wrong("192.0.2.1"), wrong("192.0.2.2")]);
    expect(slow).toBeGreaterThan(1_500);
    expect(quick).toBeLessThan(slow);
    own.close();
    await api.close();
  });
});

describe("the realm of /v2 without PUBLIC_URL", () => {
  test.each([
    ["a proxy that is not trusted", [], "http://127.0.0.1"],
    ["a trusted proxy with TLS", ["127.0.0.1/32"], "https://hub.example"],
  ])("behind %s", async (_what, trusted, expected) => {
    const api = await startApi({ isTrustedProxy: createTrust(trusted) });
    const own = client();
    const { headers } = await own.get(
      api,
      { "x-forwarded-proto": "https", "x-forwarded-host": "hub.example" },
      "/v2/",
    );
    const { port } = new URL(api.url);
    const origin = trusted.length > 0 ? expected : `${expected}:${port}`;
    expect(headers["www-authenticate"]).toContain(`realm="${origin}/v2/token"`);
    own.close();
    await api.close();
  });
});

test("a request that is only told to log in is no refusal in the log", async () => {
  const api = await startApi();
  const own = client();
  await own.get(api, {});
  expect(api.logs.at(-1)).toMatchObject({
    level: "info",
    message: "answered",
    facts: { status: 401, address: "127.0.0.1" },
  });
  expect(api.logs.at(-1)?.facts).not.toHaveProperty("user");
  await own.get(api, { authorization: LOGIN });
  expect(api.logs.at(-1)?.facts).toMatchObject({ status: 200, user: ADMIN.username });
  own.close();
  await api.close();
});
