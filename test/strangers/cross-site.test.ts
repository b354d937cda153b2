import { afterAll, beforeAll, expect, test } from "vitest";
import { createTrust } from "../../api/http/client.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { type Door, everyDoor, isInForm } from "../rigs/api/every-door.ts";
import { send, startApi } from "../rigs/api/socket-fixture.ts";

const CREATE = "/repository/api/project/create";
const TRY = "/replication/api/cluster/tryConnect";

let api: TestApi;
let doors: Door[];
beforeAll(async () => {
  api = createTestApi();
  doors = await everyDoor(api);
});
afterAll(() => api.close());

const changing = () =>
  doors.filter(({ method, path }) => !["GET", "HEAD"].includes(method) || path === TRY);

test.each([
  ["Sec-Fetch-Site: cross-site", { "sec-fetch-site": "cross-site" }],
  ["Sec-Fetch-Site: same-site", { "sec-fetch-site": "same-site" }],
  ["an Origin of another site", { origin: "https://evil.example" }],
  ["an Origin of another port", { origin: "http://localhost:8233" }],
  ["an Origin that is hidden", { origin: "null" }],
  [
    "both, with the own Origin",
    { "sec-fetch-site": "cross-site", origin: "http://localhost" },
  ],
])("every change is refused with %s", async (_what, headers) => {
  expect(changing().length).toBeGreaterThan(50);
  for (const { method, path } of changing()) {
    const answer = await api.call(method, path, { headers });
    const door = `${method} ${path}`;
    expect([door, answer.status]).toEqual([door, 403]);
    expect([door, isInForm(path, answer.text)]).toEqual([door, true]);
    expect(answer.text).toContain("a page of another site sent this");
    expect([undefined, 250113]).toContain(answer.code);
  }
});

test.each([
  ["no such header, as docker, mvn, npm and curl", {}],
  ["Sec-Fetch-Site: same-origin", { "sec-fetch-site": "same-origin" }],
  ["Sec-Fetch-Site: none", { "sec-fetch-site": "none" }],
  ["the own Origin", { origin: "http://localhost" }],
  ["the own Origin behind TLS", { origin: "https://localhost" }],
  [
    "same-origin behind a proxy that changes Host",
    { "sec-fetch-site": "same-origin", origin: "https://hub.example" },
  ],
])("a change with %s is carried out", async (_what, headers) => {
  const name = `p${Math.random().toString(36).slice(2)}`;
  const answer = await api.call("POST", CREATE, {
    body: { name, displayName: name },
    headers,
  });
  expect(answer.status).toBe(200);
});

test.each([
  ["of a browser's page of another site", "http://evil.example/page", 403],
  ["of a browser that hides the page", undefined, 403],
  ["of a page of ours", "http://localhost/console", 400],
])("a GET that changes, without TLS: one %s", async (_what, referer, status) => {
  const headers = { "user-agent": "Mozilla/5.0 (X11)", ...(referer && { referer }) };
  expect((await api.call("GET", TRY, { headers })).status).toBe(status);
});

test("a page of PUBLIC_URL, and of what a trusted proxy says, may change; other pages may not", async () => {
  const body = { name: "page", displayName: "page" };
  const headers = { origin: "https://hub.example" };
  const known = createTestApi({ publicUrl: "https://hub.example/replication" });
  expect((await known.call("POST", CREATE, { body, headers })).status).toBe(200);
  known.close();
  for (const [trusted, status] of [
    [["127.0.0.1/32"], 200],
    [[], 403],
  ] as const) {
    const behind = await startApi({ isTrustedProxy: createTrust(trusted) });
    const sent = { ...headers, "x-forwarded-host": "hub.example" };
    const json = Buffer.from(JSON.stringify(body));
    const answer = await send(
      behind.port,
      "POST",
      CREATE,
      { ...sent, "content-type": "application/json", "content-length": json.length },
      [json],
    );
    expect(answer.status).toBe(status);
    await behind.close();
  }
});

test("what only reads is answered to pages of other sites, which browsers keep from seeing it", async () => {
  const headers = { "sec-fetch-site": "cross-site", origin: "https://evil.example" };
  expect(
    (await api.call("GET", "/replication/api/cluster/list", { headers })).status,
  ).toBe(200);
});
