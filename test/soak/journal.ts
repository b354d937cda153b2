import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The timeline, each line with seconds since the start, and the violations. */
export type Journal = ReturnType<typeof createJournal>;

/** Maximum number of violations of one rule that are printed; all are counted. */
const MOST_TOLD = 20;
/** Time in ms: a request that still fails after this long, with no process in trouble, is lost. */
const PERSIST_MS = 600_000;

export function createJournal(folder: string) {
  const begun = Date.now();
  const violations = new Map<string, string[]>();
  const counts = new Map<string, number>();

  function note(text: string): void {
    const line = `${((Date.now() - begun) / 1000).toFixed(1).padStart(7)} s  ${text}`;
    console.log(line);
    appendFileSync(join(folder, "timeline.txt"), `${line}\n`);
  }

  function violated(rule: string, text: string): void {
    const told = violations.get(rule) ?? [];
    violations.set(rule, [...told, text]);
    if (told.length < MOST_TOLD) note(`VIOLATED ${rule}: ${text.slice(0, 600)}`);
  }

  /** Violations that were already reported, of rules that report each case only once. */
  const once = new Set<string>();
  function violatedOnce(rule: string, subject: string, text: string): void {
    const key = `${rule} ${subject}`;
    if (!once.has(key)) violated(rule, `${subject}: ${text}`);
    once.add(key);
  }

  /** Repeats `work` until it succeeds: the API may be away, and its answer may be lost. */
  async function persist<T>(what: string, work: () => Promise<T>): Promise<T> {
    for (const end = Date.now() + PERSIST_MS; ; await sleep(200)) {
      try {
        return await work();
      } catch (error) {
        if (Date.now() < end) continue;
        violated("every request succeeds in the end", `${what}: ${String(error)}`);
        throw error;
      }
    }
  }

  return {
    note,
    violated,
    violatedOnce,
    persist,
    count: (what: string, number = 1) =>
      void counts.set(what, (counts.get(what) ?? 0) + number),
    counts: () => [...counts],
    /** Returns the number of violations of all rules. */
    violationCount: () =>
      [...violations.values()].reduce((sum, cases) => sum + cases.length, 0),
    violations: (): ReadonlyMap<string, readonly string[]> => violations,
    seconds: () => (Date.now() - begun) / 1000,
  };
}
