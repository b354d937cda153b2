import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { type Entry, programOf, ROOT } from "./program.ts";

/** Who starts the program, or in what surroundings. */
export type Starter = { name: string; command: readonly string[] };

const isRoot = process.getuid?.() === 0;

/** A user who owns nothing: another one for root, else the present one. */
export const STRANGER: Starter = {
  name: "a user who owns nothing",
  command: isRoot ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [],
};

/** A shell in which the file system at `folder` has the mount options `options`. */
export const mounted = (options: string, folder: string): Starter => ({
  name: `a file system with ${options}`,
  command: [
    "unshare",
    isRoot ? "-m" : "-rm",
    "sh",
    "-c",
    `mount -t tmpfs -o ${options} none ${folder} && exec "$@"`,
    "sh",
  ],
});

/** Whether this machine has what the starter needs, and the starter may read the program. */
export function canStart({ command: [program, ...args] }: Starter): boolean {
  if (program === undefined) return true;
  try {
    execFileSync(program, [...args, process.execPath, "--check", "dist/main.js"], {
      cwd: ROOT,
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program of the product in a case in which it ends on its own. Resolves with its exit code, its output, and
 * the commands of its processes that are left.
 */
export function startWrongly(
  entry: Entry,
  env: Record<string, string>,
  command: readonly string[] = [],
): Promise<{ code: number | null; output: string; left: string[] }> {
  const mark = randomUUID();
  const [program = "", ...args] = [...command, process.execPath, ...programOf(entry)];
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], START_MARK: mark, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => {
    child.once("close", (code) => resolve({ code, output, left: markedWith(mark) }));
  });
}

/** Returns the commands of the processes whose environment has the mark; none where there is no /proc. */
function markedWith(mark: string): string[] {
  const read = (pid: string, file: string) => {
    try {
      return readFileSync(`/proc/${pid}/${file}`, "utf8");
    } catch {
      return "";
    }
  };
  if (process.platform !== "linux") return [];
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid) && read(pid, "environ").includes(mark))
    .map((pid) => read(pid, "cmdline"));
}
