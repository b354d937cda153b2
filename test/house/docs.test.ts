import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";
import { createTestApi } from "../rigs/api/api-fixture.ts";

const files = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard"],
  { encoding: "utf8" },
)
  .trim()
  .split("\n")
  .filter((name) => existsSync(name));
const textOf = (file: string) => readFileSync(file, "utf8");

/** The pages of the documentation, and the page about the saved histories. */
const pages = files.filter((name) =>
  /^(?:README|CONTRIBUTING)\.md$|^docs\/.*\.md$|\/histories\/README\.md$/.test(name),
);
/** Files whose comments may cite pages and paths. */
const sources = files.filter((name) => /\.(?:ts|js|mjs|sql)$/.test(name));
const FOLDERS = [
  "activities",
  "api",
  "db",
  "docs",
  "domain",
  "temporal",
  "test",
  "workflows",
];

test("docs/settings.md explains every setting", () => {
  const settings =
    /const settings = z\.object\(\{(.*?)\n\}\);/s.exec(textOf("config.ts"))?.[1] ?? "";
  const variables = [...settings.matchAll(/^ {2}(\w+):/gm)].map(([, key = ""]) =>
    key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase(),
  );
  const table = textOf("docs/settings.md")
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .join("\n");
  expect(variables.length).toBeGreaterThan(30);
  expect(variables.filter((variable) => !table.includes(`\`${variable}\``))).toEqual([]);
});

test("docs/README.md has a line for every page", () => {
  const listed = linksOf("docs/README.md").map(({ file }) => file);
  const missing = pages.filter(
    (page) =>
      page.startsWith("docs/") && page !== "docs/README.md" && !listed.includes(page),
  );
  expect(missing).toEqual([]);
});

test("links between pages lead to a file and to a heading of it", () => {
  const links = pages.flatMap(linksOf);
  expect(links.length).toBeGreaterThan(30);
  expect(links.filter(({ file, anchor }) => !isThere(file, anchor))).toEqual([]);
});

test("sections of pages that code and pages cite exist", () => {
  const cited = [...pages, ...sources].flatMap((from) =>
    [...textOf(from).matchAll(/\b(docs\/[\w/-]+\.md)(?:#([a-z0-9-]+))?/g)].map(
      ([, file = "", anchor]) => ({
        from,
        file,
        anchor,
      }),
    ),
  );
  expect(cited.filter(({ anchor }) => anchor !== undefined).length).toBeGreaterThan(20);
  expect(cited.filter(({ file, anchor }) => !isThere(file, anchor))).toEqual([]);
});

test("files and folders that pages and comments name exist", () => {
  const path = new RegExp(`^(?:${FOLDERS.join("|")})/[\\w./-]*$`);
  const inPages = pages.flatMap((from) =>
    [...textOf(from).matchAll(/`([^`\n]+)`/g)]
      .map(([, name = ""]) => ({ from, name }))
      .filter(({ name }) => path.test(name)),
  );
  const file = new RegExp(
    `(?<![\\w./-])(?:${FOLDERS.join("|")})/[\\w./-]+\\.(?:ts|js|mjs|md|sql|json|yml)\\b`,
    "g",
  );
  const inComments = sources.flatMap((from) =>
    [...commentsOf(textOf(from)).matchAll(file)].map(([name]) => ({ from, name })),
  );
  expect(inPages.length).toBeGreaterThan(100);
  expect(inComments.length).toBeGreaterThan(20);
  expect([...inPages, ...inComments].filter(({ name }) => !existsSync(name))).toEqual([]);
});

test("folders that pages give an instance for its data are not seen by git, because they hold keys", () => {
  const folders = pages.flatMap((page) =>
    [...textOf(page).matchAll(/\bDATA_DIR=([\w-][\w./-]*)/g)].map(
      ([, name = ""]) => name,
    ),
  );
  expect(folders).toContain("data-second");
  const isIgnored = (folder: string) =>
    spawnSync("git", ["check-ignore", "-q", `${folder}/secret-key`]).status === 0;
  expect(folders.filter((folder) => !isIgnored(folder))).toEqual([]);
});

test("no file cites a design document, which is not in the repository", () => {
  const cites = /\bdesign\.md\b/;
  const own = "test/house/docs.test.ts";
  const texts = files.filter(
    (name) => /\.(?:ts|js|mjs|sql|md|json|yml)$/.test(name) && name !== own,
  );
  expect(texts.filter((name) => cites.test(textOf(name)))).toEqual([]);
});

test("commands that pages name are scripts of the package, and the README's table names every folder", () => {
  const { scripts } = JSON.parse(textOf("package.json")) as {
    scripts: Record<string, string>;
  };
  const commands = pages.flatMap((page) =>
    [
      ...textOf(page).matchAll(
        /npm (?:run )?(start|test|[a-z]+:[a-z]+|(?<=run )[a-z]+(?:-[a-z]+)*)\b/g,
      ),
    ].map(([, name = ""]) => name),
  );
  expect([...new Set(commands)].filter((name) => !Object.hasOwn(scripts, name))).toEqual(
    [],
  );
  const folders = [...textOf("README.md").matchAll(/^\| `([a-z]+)\/`/gm)].map(
    ([, name = ""]) => name,
  );
  expect(folders.toSorted()).toEqual(FOLDERS);
});

test("endpoints that pages name are offered", async () => {
  const api = createTestApi();
  const answer = await api.app.request("/openapi.json");
  const { paths } = (await answer.json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  api.close();
  const offered = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${shape(path)}`),
  );
  const named = pages.flatMap((page) =>
    [
      ...textOf(page).matchAll(/`(GET|POST|PUT|PATCH|DELETE|HEAD) (\/[^\s`?]*)[^`]*`/g),
    ].map(([, method = "", path = ""]) => `${method} ${shape(path)}`),
  );
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter((endpoint) => !offered.includes(endpoint))).toEqual(
    [],
  );
});

/** Removes the names of parameters from a path, because pages use other names than the code. */
function shape(path: string): string {
  return path.replaceAll(/\/{2,}/g, "/").replaceAll(/\{[^}]*\}/g, "{}");
}

type Link = { from: string; file: string; anchor: string | undefined };

/** Returns the links of a page to files of the repository. */
function linksOf(from: string): Link[] {
  return [...textOf(from).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].map(
    ([, target = "", anchor]) => ({
      from,
      file: target === "" ? from : normalize(join(dirname(from), target)),
      anchor,
    }),
  );
}

function isThere(file: string, anchor: string | undefined): boolean {
  return existsSync(file) && (anchor === undefined || anchorsOf(file).includes(anchor));
}

/** Returns the anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): string[] {
  const text = textOf(page).replaceAll(/^```.*?^```/gms, "");
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

function commentsOf(text: string): string {
  return [...text.matchAll(/\/\*.*?\*\/|(?<!:)\/\/.*$|^--.*$/gms)]
    .map(([comment]) => comment)
    .join("\n");
}
