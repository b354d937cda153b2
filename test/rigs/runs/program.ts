import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

let compiled = false;

/** Builds dist/ from the sources, once in each process; vitest's global setup calls it for tests. */
export function compileOnce(): void {
  if (!compiled)
    execFileSync(process.execPath, ["build.js"], { cwd: ROOT, stdio: "inherit" });
  compiled = true;
}

/** The files of the programs that people start. */
export type Entry = "main" | "activities/start" | "api/keys/start" | "api/verify/start";

/**
 * Returns Node's arguments for a process of the product, run in `ROOT`, as in `npm start` and `npm run
 * worker`.
 */
export const programOf = (entry: Entry): string[] => [
  "--enable-source-maps",
  `dist/${entry}.js`,
];
