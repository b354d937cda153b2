import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADMIN, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { startApi } from "../rigs/api/socket-fixture.ts";
import { type Browser, openBrowser, overflowOf } from "../rigs/servers/browser.ts";

const HTML = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe("the address of the API itself", () => {
  let api: TestApi;
  beforeAll(() => {
    api = createTestApi();
  });
  afterAll(() => api.close());
  const start = (headers: Record<string, string>) =>
    api.call("GET", "/", { login: null, headers });

  test("a browser gets a page without a login, with links to docs, health and Temporal's UI", async () => {
    const { status, headers, text } = await start(HTML);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toMatch(/^text\/html/);
    expect(headers.get("content-security-policy")).toMatch(/^default-src 'none';/);
    expect(headers.get("vary")).toBe("Accept, Accept-Language");
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, href]) => href);
    expect(links).toEqual([
      "docs",
      "openapi.json",
      "health/ready",
      "replication/api/system/problems",
      "http://127.0.0.1:8233",
    ]);
    expect(text).not.toMatch(/<script/i);
  });

  test("the page is Chinese for a browser that prefers Chinese", async () => {
    const { headers, text } = await start({
      ...HTML,
      "accept-language": "zh-CN,en;q=0.5",
    });
    expect(headers.get("content-language")).toBe("zh");
    expect(text).toContain('<html lang="zh">');
    expect(text).toContain("本服务使制品仓库保持同步");
    expect(text).not.toMatch(/[a-z]+ [a-z]+ [a-z]+/i);
  });

  test("the page says where the UI is of a Temporal server that is another one, remote or local", async () => {
    const pageWith = async (ui: string | null | undefined) => {
      const other = createTestApi({ temporalUi: () => ui });
      const { text } = await other.call("GET", "/", { login: null, headers: HTML });
      other.close();
      return text;
    };
    expect(await pageWith(null)).toContain("a Temporal server that it did not start");
    expect(await pageWith(undefined)).not.toContain("Temporal");
    expect(await pageWith("http://127.0.0.1:8233")).toContain(
      "on the machine of the service only",
    );
    expect(await pageWith("http://10.0.0.7:8233")).not.toContain(
      "on the machine of the service only",
    );
  });

  test.each([
    ["any type", "*/*", null, 401],
    ["JSON", "application/json", null, 401],
    ["any type with a login", "*/*", undefined, 404],
  ])(
    "a client that accepts %s gets what it gets for an unknown path",
    async (_what, accept, login, status) => {
      const options = login === undefined ? {} : { login };
      const answer = await api.call("GET", "/", { ...options, headers: { accept } });
      const unknown = await api.call("GET", "/nothing", {
        ...options,
        headers: { accept },
      });
      expect([answer.status, unknown.status]).toEqual([status, status]);
      expect(answer.code).toBe(unknown.code);
    },
  );

  test("other methods, and browsers at other paths, still need the login", async () => {
    const posted = await api.call("POST", "/", { login: null, headers: HTML });
    const elsewhere = await api.call("GET", "/nothing", { login: null, headers: HTML });
    expect([posted.status, elsewhere.status]).toEqual([401, 401]);
  });
});

describe("the pages in a browser", () => {
  let api: Awaited<ReturnType<typeof startApi>>;
  let browser: Browser | null;
  beforeAll(async () => {
    browser = await openBrowser();
    api = await startApi();
  });
  afterAll(async () => {
    await browser?.close();
    await api.close();
  });

  describe.each(["/", "/docs"])("%s", (path) => {
    test.for([360, 800, 1400])(
      "fits a window of %i pixels, and the browser has no complaint",
      async (width, { skip }) => {
        const window = browser ?? skip("a browser is not available");
        for (const colorScheme of ["light", "dark"] as const) {
          const options = { viewport: { width, height: 800 }, colorScheme };
          const { page, complaints, status, close } = await window.open(
            api.url + path,
            options,
          );
          expect(await overflowOf(page)).toEqual({ pixels: 0, wide: [] });
          expect([status, complaints]).toEqual([200, []]);
          await close();
        }
      },
    );
  });

  test("the links of the start page lead to pages that answer, and those of /docs to its sections", async ({
    skip,
  }) => {
    const window = browser ?? skip("a browser is not available");
    const { page, close } = await window.open(`${api.url}/`, { httpCredentials: ADMIN });
    for (const name of ["OpenAPI 3.1", "Health", "Problems", "API documentation"]) {
      await page.goto(`${api.url}/`);
      const answered = page.waitForResponse(
        (response) => response.url() !== `${api.url}/`,
      );
      await page.getByRole("link", { name }).click();
      expect([name, (await answered).status()]).toEqual([name, 200]);
    }
    await page.goto(`${api.url}/docs`);
    expect(await page.evaluate(DEAD_LINKS)).toEqual([]);
    await close();
  });
});

/** Runs in the page: links to a section that does not exist. */
const DEAD_LINKS = `[...document.querySelectorAll("a[href^='#']")]
  .map((link) => link.getAttribute("href"))
  .filter((href) => document.getElementById(decodeURIComponent(href.slice(1))) === null)`;
