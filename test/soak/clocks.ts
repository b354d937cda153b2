import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../rigs/runs/program.ts";

/** The wall clock of all processes of an instance, as far as they are Node. */
export type Clock = {
  /** By how many ms the clock is wrong from now on. */
  set: (ms: number) => void;
  env: Record<string, string>;
};

export function openClock(file: string): Clock {
  const preload = pathToFileURL(join(ROOT, "test", "rigs", "runs", "clock.mjs")).href;
  const set = (ms: number) => {
    writeFileSync(`${file}.new`, String(ms));
    renameSync(`${file}.new`, file);
  };
  set(0);
  return {
    set,
    env: { NODE_OPTIONS: `--import ${preload}`, CLOCK_OFFSET_FILE: file },
  };
}
