import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

let compiled = false;

/** Makes dist/ from the sources as they are, once in each process; for tests the run's setup does it. */
export function compileOnce(): void {
  if (!compiled) execFileSync(process.execPath, ["build.js"], { cwd: ROOT, stdio: "inherit" });
  compiled = true;
}

/** Node's arguments for a process of the product, in `ROOT`: those of `npm start` and `npm run worker`. */
export const programOf = (entry: "main" | "activities/start"): string[] => ["--enable-source-maps", `dist/${entry}.js`];
