import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../rigs/runs/program.ts";

const PROGRAM = [
  "activities",
  "api",
  "build.js",
  "children.ts",
  "config.ts",
  "db",
  "domain",
  "installed.js",
  "lifecycle.ts",
  "logs.ts",
  "main.ts",
  "package.json",
  "supervisor.ts",
  "temporal",
  "variables.ts",
  "workflows",
];

let tree: string;
beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "tree-"));
  for (const name of PROGRAM)
    cpSync(join(ROOT, name), join(tree, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(tree, "node_modules"));
  build();
});
afterAll(() => rmSync(tree, { recursive: true, force: true }));

const build = () =>
  execFileSync(process.execPath, ["build.js"], {
    cwd: tree,
    encoding: "utf8",
    stdio: "pipe",
  });
const inDist = (name: string) => join(tree, "dist", name);
const files = () =>
  readdirSync(join(tree, "dist"), { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  );
/** Returns the inode of each built file, which changes when the file is written again. */
const written = () =>
  files().map((entry) => statSync(join(entry.parentPath, entry.name)).ino);

test("a build contains the whole program with its data files, and a second build writes nothing", () => {
  const all = readdirSync(tree, { recursive: true, encoding: "utf8" }).filter(
    (name) =>
      !/^(dist|node_modules)/.test(name) &&
      name !== "package.json" &&
      name !== "build.js" &&
      name !== "installed.js",
  );
  const sources = all.filter((name) => statSync(join(tree, name)).isFile());
  expect(
    files()
      .map((entry) => join(entry.parentPath, entry.name))
      .sort(),
  ).toEqual(sources.map((name) => inDist(name.replace(/\.ts$/, ".js"))).sort());
  const before = written();
  build();
  expect(written()).toEqual(before);
});

test("a build that cannot write dist/ says so in one sentence", () => {
  rmSync(inDist("domain"), { recursive: true });
  writeFileSync(inDist("domain"), "in the way");
  try {
    expect(build).toThrow(
      /dist\/ was not made from these sources and cannot be written \(E.*\); its owner has to run npm run build/,
    );
  } finally {
    rmSync(inDist("domain"));
    build();
  }
});

test("a build follows changes of files, and a build with an error names the file and changes nothing", () => {
  writeFileSync(join(tree, "domain/added.ts"), "export const added: number = 1;\n");
  build();
  expect(existsSync(inDist("domain/added.js"))).toBe(true);
  rmSync(join(tree, "domain/added.ts"));
  build();
  expect(existsSync(inDist("domain/added.js"))).toBe(false);
  const before = written();
  const config = join(tree, "config.ts");
  const whole = readFileSync(config);
  writeFileSync(config, `${whole.toString()}const broken: = 1;\n`);
  try {
    expect(build).toThrow("config.ts");
    expect(written()).toEqual(before);
  } finally {
    writeFileSync(config, whole);
  }
});
