import { readFileSync } from "node:fs";
import { isAlive, type ProcessName } from "../rigs/runs/instance.ts";
import type { Journal } from "./journal.ts";
import type { End, EndName } from "./ends.ts";

export type Victim = { end: EndName; process: ProcessName; number: number };
export type Signals = ReturnType<typeof createSignals>;

/** Time after a signal until the processes work normally again. */
const RECOVERY_MS = 60_000;

/**
 * Sends signals to processes of the product and remembers them: a process that we ended has not crashed, and troubled
 * times are not measured.
 */
export function createSignals(ends: Record<EndName, End>, journal: Journal) {
  const frozen = new Map<number, NodeJS.Timeout>();
  /** Number of kills by end and kind of process. */
  const kills = new Map<string, number>();
  const restarting = new Set<EndName>();
  let disturbances = 0;
  let last = 0;

  function pidOf({ end, process, number }: Victim): number | null {
    try {
      const { dataDir, pids: read } = ends[end].instance;
      const pids = read();
      const pid =
        process === "worker" ? pids.workers[number % pids.workers.length] : pids[process];
      return pid && isAlive(pid) && isOf(pid, dataDir) ? pid : null;
    } catch {
      return null;
    }
  }

  function send(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch {
      // The process has ended meanwhile, so there is nothing to do.
    }
  }

  function thaw(pid: number): void {
    if (!frozen.has(pid)) return;
    clearTimeout(frozen.get(pid));
    frozen.delete(pid);
    last = Date.now();
    if (isAlive(pid)) send(pid, "SIGCONT");
  }

  const nameOf = ({ end, process, number }: Victim) =>
    `${end}'s ${process}${process === "worker" ? ` ${(number % 2) + 1}` : ""}`;

  return {
    pidOf,
    /** Sends SIGKILL; returns false when the victim has no process at the moment. */
    kill(victim: Victim): boolean {
      const pid = pidOf(victim);
      if (pid === null) return false;
      last = Date.now();
      const key = `${victim.end} ${victim.process}`;
      kills.set(key, (kills.get(key) ?? 0) + 1);
      send(pid, "SIGKILL");
      frozen.delete(pid);
      journal.count(`SIGKILL ${victim.process}`);
      journal.note(`SIGKILL ${nameOf(victim)} (${pid})`);
      return true;
    },
    /** Sends SIGSTOP, and SIGCONT after `ms`; returns false when the victim has no process or is frozen already. */
    freeze(victim: Victim, ms: number): boolean {
      const pid = pidOf(victim);
      if (pid === null || frozen.has(pid)) return false;
      last = Date.now();
      send(pid, "SIGSTOP");
      frozen.set(
        pid,
        setTimeout(() => thaw(pid), ms),
      );
      journal.count(`SIGSTOP ${victim.process}`);
      journal.note(`SIGSTOP ${nameOf(victim)} (${pid}) for ${Math.round(ms / 1000)} s`);
      return true;
    },
    thaw,
    thawAll: () => [...frozen.keys()].forEach(thaw),
    /** Marks the ends as restarted by us until `work` has ended. */
    async restart(names: EndName[], work: () => Promise<void>): Promise<void> {
      names.forEach((name) => restarting.add(name));
      last = Date.now();
      await work().finally(() => {
        names.forEach((name) => restarting.delete(name));
        last = Date.now();
      });
    },
    /** Marks everything as troubled, in another way than by signals, until `work` has ended. */
    async disturb<T>(work: () => Promise<T>): Promise<T> {
      disturbances += 1;
      try {
        return await work();
      } finally {
        disturbances -= 1;
        last = Date.now();
      }
    },
    isRestarting: (name: EndName) => restarting.has(name),
    kills: (end: EndName, process: string) => kills.get(`${end} ${process}`) ?? 0,
    /** Whether no process was in trouble from shortly before `time` until now. */
    quietSince: (time: number) =>
      frozen.size === 0 &&
      restarting.size === 0 &&
      disturbances === 0 &&
      last + RECOVERY_MS < time,
  };
}

/** Whether a process belongs to an instance: pids are reused, so its environment must name the data directory. */
function isOf(pid: number, dataDir: string): boolean {
  return (
    process.platform !== "linux" ||
    readFileSync(`/proc/${pid}/environ`, "utf8").includes(`DATA_DIR=${dataDir}\0`)
  );
}
