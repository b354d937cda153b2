import { execFile, execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { loadConfig } from "../../../config.ts";

/** A program that tests run, and how to get it; its size and install time are printed before it is installed. */
export type Tool = {
  name: string;
  version: string;
  /** The program's name on PATH, and a pattern that the output of its version must match. */
  onPath?: { command: string; versionArgs: string[]; matches: RegExp };
  /** Debian packages, installed when the tests run as root. */
  apt?: { packages: string[]; command: string };
  /**
   * `package@version` for go install, a folder of this repository to build, or a `module@version` whose tests are
   * built.
   */
  go?: { package: string } | { folder: string } | { tests: string };
  /**
   * A folder of this repository with a package.json and its lock file, installed as a copy; `command`: the program of
   * one of its packages.
   */
  npm?: { folder: string; command: string };
  cost: string;
};

const run = promisify(execFile);
/** The product's cache folder, where programs that tests fetch or build are kept between runs. */
export const CACHE_DIR = loadConfig(process.env).cacheDir;
const CACHE = join(CACHE_DIR, "bin");
const LONGEST_BUILD_MS = 15 * 60_000;
const found = new Map<string, Promise<string | null>>();

/** Returns the program's path; null, with a message, if it is not available, which in CI is an error. */
export function findTool(tool: Tool): Promise<string | null> {
  const known = found.get(tool.name) ?? locate(tool);
  found.set(tool.name, known);
  return known;
}

async function locate(tool: Tool): Promise<string | null> {
  const kept = join(CACHE, `${tool.name}-${tool.version}`);
  const cached =
    tool.npm === undefined ? kept : join(kept, "node_modules", ".bin", tool.npm.command);
  const here = onPath(tool) ?? (existsSync(cached) ? cached : null);
  if (here !== null) return here;
  return oneAtATime(tool.name, async () => {
    const reasons: string[] = [];
    for (const install of [withApt, withGo, withNpm]) {
      try {
        const path = existsSync(cached) ? cached : await install(tool, kept);
        if (path !== null) return path;
      } catch (error) {
        reasons.push(
          error instanceof Error ? error.message.slice(0, 500) : String(error),
        );
      }
    }
    const needed =
      tool.npm === undefined
        ? "Go, or apt as root"
        : "npm and a registry that it reads from";
    const why = reasons.length > 0 ? reasons.join("; ") : `it needs ${needed}`;
    const message = `${tool.name} ${tool.version}, which is not available on this machine: ${why}`;
    if (process.env["CI"] === "true") throw new Error(message);
    console.warn(`SKIPPED: tests that need ${message}`);
    return null;
  });
}

function onPath({ onPath: wanted }: Tool): string | null {
  if (wanted === undefined) return null;
  try {
    const said = execFileSync(wanted.command, wanted.versionArgs, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    return wanted.matches.test(said) ? wanted.command : null;
  } catch {
    return null;
  }
}

async function withApt(tool: Tool): Promise<string | null> {
  if (tool.apt === undefined || process.getuid?.() !== 0 || !exists("apt-get"))
    return null;
  console.log(`installing ${tool.apt.packages.join(", ")} with apt (${tool.cost})`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update"], { env: environment });
  await run(
    "apt-get",
    ["install", "-y", "--no-install-recommends", ...tool.apt.packages],
    { env: environment },
  );
  return tool.apt.command;
}

async function withGo(tool: Tool, cached: string): Promise<string | null> {
  if (tool.go === undefined || !exists("go")) return null;
  console.log(
    `building ${tool.name} ${tool.version} with Go (${tool.cost}); kept in ${CACHE}`,
  );
  const bin = join(CACHE, `.${tool.name}-${process.pid}`);
  mkdirSync(bin, { recursive: true });
  const flags = ["-trimpath", "-ldflags=-s -w", "-p", "2"];
  try {
    if ("folder" in tool.go)
      await run("go", ["build", ...flags, "-o", join(bin, "tool"), "."], {
        cwd: tool.go.folder,
        timeout: LONGEST_BUILD_MS,
      });
    else if ("tests" in tool.go)
      await buildTests(tool.go.tests, flags, join(bin, "tool"));
    else {
      await run("go", ["install", ...flags, tool.go.package], {
        env: { ...process.env, GOBIN: bin },
        timeout: LONGEST_BUILD_MS,
      });
      renameSync(
        join(bin, tool.go.package.replace(/@.*$/, "").split("/").at(-1) ?? ""),
        join(bin, "tool"),
      );
    }
    renameSync(join(bin, "tool"), cached);
  } finally {
    rmSync(bin, { recursive: true, force: true });
  }
  return cached;
}

/** Builds the tests of a module, which `go install` cannot do, where Go has unpacked it. */
async function buildTests(module: string, flags: string[], to: string): Promise<void> {
  const { stdout } = await run("go", ["mod", "download", "-json", module]);
  const { Dir: cwd } = JSON.parse(stdout) as { Dir: string };
  await run("go", ["test", "-c", ...flags, "-o", to, "."], {
    cwd,
    timeout: LONGEST_BUILD_MS,
  });
}

async function withNpm(tool: Tool, kept: string): Promise<string | null> {
  if (tool.npm === undefined || !exists("npm")) return null;
  console.log(
    `installing ${tool.name} ${tool.version} with npm (${tool.cost}); kept in ${CACHE}`,
  );
  const folder = join(CACHE, `.${tool.name}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const file of ["package.json", "package-lock.json"])
      copyFileSync(join(tool.npm.folder, file), join(folder, file));
    const args = [
      "ci",
      "--prefix",
      folder,
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
    ];
    await run("npm", args, { cwd: folder, timeout: LONGEST_BUILD_MS });
    rmSync(kept, { recursive: true, force: true });
    renameSync(folder, kept);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return join(kept, "node_modules", ".bin", tool.npm.command);
}

function exists(command: string): boolean {
  return (process.env["PATH"] ?? "")
    .split(":")
    .some((folder) => existsSync(join(folder, command)));
}

/** Test files run in several processes: one installs a tool, the others wait for it. */
async function oneAtATime<T>(name: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(CACHE, { recursive: true });
  const lock = join(CACHE, `.${name}.lock`);
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: "wx" });
      break;
    } catch {
      if (isStale(lock)) rmSync(lock, { force: true });
      else await sleep(200);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function isStale(lock: string): boolean {
  try {
    process.kill(Number(readFileSync(lock, "utf8")), 0);
    return false;
  } catch {
    return true;
  }
}
