import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { findUnusedExports } from "../measure/exports.ts";
import { findCircles, findMutualFolders } from "../measure/circles.ts";
import { type Import, importsOf, isTest, readSources } from "../measure/sources.ts";

/**
 * Files that compose the program and may import anything; RULES has the allowed imports of all others, by
 * folder (docs/decisions.md#folders).
 */
const ROOTS = new RegExp(
  "^(?:main|supervisor|children|config|lifecycle|logs|variables|drizzle\\.config|vitest\\.config" +
    "|(?:api|api/keys|api/verify|activities|activities/alone|workflows)/start)\\.ts$",
);
const RULES: { from: RegExp; values: RegExp[]; types?: RegExp[] }[] = [
  { from: /^domain\//, values: [/^domain\//] },
  {
    from: /^activities\/registries\//,
    values: [/^domain\//, /^activities\/registries\//],
  },
  { from: /^activities\/store\//, values: [/^domain\//, /^activities\/store\//] },
  { from: /^activities\/secrets\//, values: [/^domain\//, /^activities\/secrets\//] },
  { from: /^db\//, values: [/^domain\//, /^db\//] },
  {
    from: /^workflows\//,
    values: [/^domain\//, /^workflows\//],
    types: [/^activities\//],
  },
  {
    from: /^activities\/control\//,
    values: [/^domain\//, /^db\//, /^activities\/(control|store|secrets)\//],
  },
  { from: /^activities\//, values: [/^domain\//, /^activities\/(?!control\/)/] },
  // Only these files of the API open connections to test them.
  {
    from: /^api\/[a-z]+\/check-/,
    values: [/^domain\//, /^api\//, /^activities\/(registries|secrets)\//],
  },
  {
    from: /^api\//,
    values: [
      /^domain\//,
      /^db\//,
      /^api\//,
      /^activities\/(store|secrets)\//,
      /^workflows\/contract\.ts$/,
    ],
  },
  { from: /^temporal\//, values: [/^domain\//, /^temporal\//] },
];

const everySource = readSources(".");
const sources = everySource.filter((source) => !isTest(source));
const files = sources.map(({ path }) => path);

/** Exports that no file imports: a tool finds them by name, or a file without types imports them. */
const CALLED_BY_TOOLS = [
  "drizzle.config.ts default",
  "vitest.config.ts default",
  "test/runner/setup.ts setup",
  "workflows/tracing.ts interceptors",
];

/** Names of folders with code for one repository type; `image` is the folder of DOCKER and OCI. */
const TYPE_FOLDERS = [
  "image",
  ...REPOSITORY_TYPES.map((type) => type.toLowerCase()),
].join("|");
/**
 * Files that may name repository types: the tables of the differences between types, and code for one type
 * or protocol in its own folder.
 */
const MAY_NAME_TYPES = [
  /^domain\/(vocabulary|repository-types|protocols)\.ts$/,
  /^db\/packages\/types\.ts$/,
  /^api\/hosted\/index\.ts$/,
  /^activities\/registries\/connectors\.ts$/,
  /^activities\/registries\/[^/]+\//,
  new RegExp(`^(?:domain|api/hosted|db/packages)/(?:${TYPE_FOLDERS})/`),
  // Example data for readers of the API documentation.
  /^api\/docs\/examples\.ts$/,
];

const everyImport = everySource.flatMap(importsOf);
const everyPath = new Set(everySource.map(({ path }) => path));
const isOfFile = ({ target }: Import) => everyPath.has(target);
const importsOfAll = sources.flatMap(importsOf);
const imports = importsOfAll.filter(({ file }) => !ROOTS.test(file));
const isOurs = (target: string) => files.includes(target) || target.endsWith(".ts");

test("every folder imports only the folders that it may", () => {
  const wrong = imports.filter(({ file, target, typeOnly }) => {
    if (!isOurs(target)) return false;
    const rule = RULES.find(({ from }) => from.test(file));
    if (!rule) return true;
    const allowed = [...rule.values, ...(typeOnly ? (rule.types ?? []) : [])];
    return !allowed.some((pattern) => pattern.test(target));
  });
  expect(wrong).toEqual([]);
});

test("no file imports itself through others, type imports and tests included", () => {
  expect(findCircles(everyImport)).toEqual([]);
});

test("no two folders side by side import each other, those of the tests included", () => {
  expect(findMutualFolders(everyImport.filter(isOfFile))).toEqual([]);
});

test("every export is imported by another file", () => {
  const unused = findUnusedExports(readSources("."));
  expect(unused.filter((each) => !CALLED_BY_TOOLS.includes(each))).toEqual([]);
});

test("only db/ uses Drizzle and the tables", () => {
  const wrong = importsOfAll.filter(
    ({ file, target }) =>
      !file.startsWith("db/") && /^(drizzle-orm|db\/schema\/)/.test(target),
  );
  expect(wrong.filter(({ file }) => !ROOTS.test(file))).toEqual([]);
});

test("no file of db/ names a code of the API", () => {
  const naming = files.filter(
    (file) =>
      file.startsWith("db/") && /\b25[01]\d{3}\b/.test(readFileSync(file, "utf8")),
  );
  expect(naming).toEqual([]);
});

test("workflows import no node built-ins, no zod, no database", () => {
  const wrong = imports.filter(
    ({ file, target, typeOnly }) =>
      file.startsWith("workflows/") &&
      !typeOnly &&
      /^(node:|zod|drizzle|better-sqlite3|hono)/.test(target),
  );
  expect(wrong).toEqual([]);
});

test("domain imports no package", () => {
  expect(
    imports.filter(({ file, target }) => file.startsWith("domain/") && !isOurs(target)),
  ).toEqual([]);
});

test("only files that start a process read the environment and the configuration", () => {
  const readers = files.filter(
    (file) =>
      !ROOTS.test(file) &&
      /process\.env|from "(\.\.?\/)+config\.ts"/.test(readFileSync(file, "utf8")),
  );
  expect(readers).toEqual([]);
});

test("only the tables and the folders of types and protocols name a repository type", () => {
  const types = REPOSITORY_TYPES.join("|");
  // Matches a text in any quotes, those of SQL included, or the key of an object.
  const named = new RegExp(`["'\`](?:${types})["'\`]|[{,\\n]\\s*(?:${types}):`);
  const naming = files.filter(
    (file) =>
      !MAY_NAME_TYPES.some((pattern) => pattern.test(file)) &&
      named.test(readFileSync(file, "utf8")),
  );
  expect(naming).toEqual([]);
});

test("exactly one protobufjs 8 is installed, which replaying saved histories needs", () => {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
    packages: Record<string, { version?: string }>;
  };
  const copies = Object.entries(lock.packages).filter(
    ([path, { version }]) =>
      path.endsWith("node_modules/protobufjs") && version?.startsWith("8."),
  );
  expect(copies.map(([path]) => path)).toEqual(["node_modules/protobufjs"]);
});

test("the top level has no source folder besides the six named here", () => {
  const top = new Set(
    files.filter((file) => file.includes("/")).map((file) => file.split("/")[0]),
  );
  expect([...top].sort()).toEqual([
    "activities",
    "api",
    "db",
    "domain",
    "temporal",
    "workflows",
  ]);
});
