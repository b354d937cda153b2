import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium, type BrowserContextOptions, type Page } from "playwright-core";
import { findTool, type Tool } from "./tools.ts";

const CHROMIUM: Tool = {
  name: "chromium",
  version: "100",
  onPath: {
    command: "chromium",
    versionArgs: ["--version"],
    matches: /Chromium [1-9]\d\d\./,
  },
  apt: { packages: ["chromium"], command: "chromium" },
  cost: "400 MB, up to a minute",
};

export type Browser = NonNullable<Awaited<ReturnType<typeof openBrowser>>>;

/** Starts a browser without a window; null, with a message, if none is available. */
export async function openBrowser() {
  const command = await findTool(CHROMIUM);
  if (command === null) return null;
  const isRoot = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath: whole(command),
    // Chromium refuses its sandbox to root.
    args: isRoot ? ["--no-sandbox"] : [],
  });
  return {
    /** Opens a page in a profile of its own, and notes everything that the browser complains about in `complaints`. */
    async open(url: string, options: BrowserContextOptions = {}) {
      const context = await browser.newContext(options);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => void complaints.push(message.text()));
      page.on("pageerror", (error) => void complaints.push(error.message));
      page.on("requestfailed", (request) => void complaints.push(request.url()));
      const answer = await page.goto(url);
      return { page, complaints, status: answer?.status(), close: () => context.close() };
    },
    close: () => browser.close(),
  };
}

/** Runs in the page: this code has no types of a browser. */
const MEASURE = `(() => {
  const width = document.documentElement.clientWidth;
  const wide = [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > width + 1 && !each.closest("pre *"))
    .map((each) => each.tagName + " " + each.textContent.trim().slice(0, 60));
  return { pixels: document.documentElement.scrollWidth - width, wide: wide.slice(-5) };
})()`;

/** Returns by how many pixels a page is wider than its window, and what sticks out. */
export const overflowOf = (page: Page): Promise<{ pixels: number; wide: string[] }> =>
  page.evaluate(MEASURE);

/** Returns the whole path of a program on PATH. */
const whole = (command: string): string =>
  (process.env["PATH"] ?? "")
    .split(":")
    .map((folder) => join(folder, command))
    .find((path) => existsSync(path)) ?? command;
