import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { type Door, everyDoor } from "../rigs/api/every-door.ts";
import { sendRaw, startApi } from "../rigs/api/socket-fixture.ts";

let api: TestApi;
let doors: Door[];
beforeAll(async () => {
  api = createTestApi();
  doors = await everyDoor(api);
});
afterAll(() => api.close());

const found = (headers: Headers) => ({
  sniffing: headers.get("x-content-type-options"),
  mayFrame: !/frame-ancestors 'none'|sandbox/.test(
    headers.get("content-security-policy") ?? "",
  ),
  mayRun: !/default-src 'none'/.test(headers.get("content-security-policy") ?? ""),
  referrer: headers.get("referrer-policy"),
  mayKeep: !/no-store|no-cache|private/.test(headers.get("cache-control") ?? ""),
});
const HARMLESS = {
  sniffing: "nosniff",
  mayFrame: false,
  mayRun: false,
  referrer: "no-referrer",
  mayKeep: false,
};

test.each([
  ["with the login", undefined],
  ["without one", null],
])(
  "every answer %s tells browsers not to guess, run, frame or keep it",
  async (_how, login) => {
    expect(doors.length).toBeGreaterThan(100);
    for (const { method, path } of doors) {
      const { headers } = await api.call(method, path, login === null ? { login } : {});
      const door = `${method} ${path}`;
      expect([door, found(headers)]).toEqual([door, HARMLESS]);
    }
  },
);

test("so does the answer to what is not HTTP", async () => {
  const served = await startApi();
  const { headers } = await sendRaw(served.port, "GARBAGE\r\n\r\n");
  expect(headers).toContain("x-content-type-options: nosniff");
  await served.close();
});
