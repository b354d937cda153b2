import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createNote, type NoteLog } from "./note.ts";
import { elapsed } from "../domain/elapsed.ts";

/** A process of this machine; `started` distinguishes it from a later process with the same pid. */
type Mark = { pid: number; started: string };

/**
 * Returns when the process began, as text that no other process with this pid has; undefined when it is gone or only a
 * zombie.
 */
function startOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux") {
      // proc(5): the name in brackets may contain anything; after it come the state, 17 fields later the number of
      // threads, and 19 fields later the start in ticks since boot.
      const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
      // A zombie whose other threads are still ending keeps its ports and files.
      const isGone = "ZX".includes(fields[0] ?? "") && Number(fields[17]) <= 1;
      return isGone ? undefined : `${boot}/${fields[19]}`;
    }
    const line = execFileSync("ps", ["-o", "stat=,lstart=", "-p", String(pid)], {
      encoding: "utf8",
    }).trim();
    const [state = "", ...started] = line.split(/\s+/);
    return state === "" || state.startsWith("Z") ? undefined : started.join(" ");
  } catch {
    return undefined;
  }
}

const runs = ({ pid, started }: Mark) => startOf(pid) === started;

function signal({ pid }: Mark, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process ended in the meantime.
  }
}

async function endProcess(mark: Mark, graceMs: number): Promise<void> {
  if (runs(mark)) signal(mark, "SIGTERM");
  for (const end = elapsed() + graceMs; runs(mark) && elapsed() < end;) await sleep(50);
  for (const end = elapsed() + 5_000; runs(mark); await sleep(50)) {
    signal(mark, "SIGKILL");
    if (elapsed() > end)
      throw new Error(
        `process ${mark.pid} of an earlier start cannot be ended: end it by hand and start again`,
      );
  }
}

export type Ledger = {
  /** Notes that `pid` is now the process of that name. */
  note: (name: string, pid: number) => void;
  clear: () => void;
};

/** Opens a file that survives its writer's death and names the processes that the writer had started. */
export function openLedger(file: string, log: NoteLog): Ledger {
  const marks = new Map<string, Mark>();
  const kept = createNote(file, log);
  return {
    note(name, pid) {
      const started = startOf(pid);
      if (started === undefined) return;
      marks.set(name, { pid, started });
      kept.write(Object.fromEntries(marks));
    },
    clear: kept.remove,
  };
}

/** Ends the processes that an earlier writer of the file left running; resolves with their names. */
export async function endLeftovers(file: string, graceMs: number): Promise<string[]> {
  const left = Object.entries(readMarks(file)).filter(([, mark]) => runs(mark));
  await Promise.all(left.map(([, mark]) => endProcess(mark, graceMs)));
  return left.map(([name]) => name);
}

function readMarks(file: string): Record<string, Mark> {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Record<string, Mark>;
  } catch {
    return {};
  }
}
