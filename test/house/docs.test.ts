import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { createTestApi } from "../rigs/api/api-fixture.ts";

const pages = [
  "README.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" }).map((name) => join("docs", name)),
].filter((name) => name.endsWith(".md"));
const textOf = (page: string) => readFileSync(page, "utf8");

test("the README explains every setting", () => {
  const settings = /const settings = z\.object\(\{(.*?)\n\}\);/s.exec(textOf("config.ts"))?.[1] ?? "";
  const variables = [...settings.matchAll(/^ {2}(\w+):/gm)].map(([, key = ""]) =>
    key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
  );
  const table = textOf("README.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .join("\n");
  expect(variables.length).toBeGreaterThan(30);
  expect(variables.filter((variable) => !table.includes(`\`${variable}\``))).toEqual([]);
});

test("links between pages lead to existing files", () => {
  const links = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target = ""]) => join(dirname(page), target)),
  );
  expect(links.length).toBeGreaterThan(3);
  expect(links.filter((target) => !existsSync(target))).toEqual([]);
});

test("commands and folders that the README names exist", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as { scripts: Record<string, string> };
  const commands = pages.flatMap((page) =>
    [...textOf(page).matchAll(/npm (?:run )?(start|test|[a-z]+:[a-z]+|(?<=run )[a-z]+)\b/g)].map(
      ([, name = ""]) => name,
    ),
  );
  expect([...new Set(commands)].filter((name) => !Object.hasOwn(scripts, name))).toEqual([]);
  const folders = [...textOf("README.md").matchAll(/^\| `([a-z]+)\/`/gm)].map(([, name = ""]) => name);
  expect(folders.toSorted()).toEqual(["activities", "api", "db", "docs", "domain", "temporal", "test", "workflows"]);
});

test("endpoints that the pages name exist in the API", async () => {
  const api = createTestApi();
  const answer = await api.app.request("/openapi.json");
  const { paths } = (await answer.json()) as { paths: Record<string, Record<string, unknown>> };
  api.close();
  const offered = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${shape(path)}`),
  );
  const named = pages.flatMap((page) =>
    [...textOf(page).matchAll(/`(GET|POST|PUT|PATCH|DELETE|HEAD) (\/[^\s`?]*)[^`]*`/g)].map(
      ([, method = "", path = ""]) => `${method} ${shape(path)}`,
    ),
  );
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((endpoint) => !offered.includes(endpoint))).toEqual([]);
});

/** Returns a path without the names of its parameters, which differ between prose and code. */
function shape(path: string): string {
  return path.replaceAll(/\/{2,}/g, "/").replaceAll(/\{[^}]*\}/g, "{}");
}
