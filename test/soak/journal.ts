import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What happened, line by line with seconds since the start, and what was found wrong. */
export type Journal = ReturnType<typeof createJournal>;

/** Of one kind of violation, so many are told; all are counted. */
const MOST_TOLD = 20;
/** An API that is asked this long and does not do it, once nobody troubles it, has lost the request. */
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

  /** A rule of which each case is told once, however often it is looked at. */
  const once = new Set<string>();
  function violatedOnce(rule: string, subject: string, text: string): void {
    const key = `${rule} ${subject}`;
    if (!once.has(key)) violated(rule, `${subject}: ${text}`);
    once.add(key);
  }

  /** Does it again and again until it succeeds: what is asked for may be away, and its answer may be lost. */
  async function persist<T>(what: string, work: () => Promise<T>): Promise<T> {
    for (const end = Date.now() + PERSIST_MS; ; await sleep(200)) {
      try {
        return await work();
      } catch (error) {
        if (Date.now() < end) continue;
        violated("what is asked for is done", `${what}: ${String(error)}`);
        throw error;
      }
    }
  }

  return {
    note,
    violated,
    violatedOnce,
    persist,
    count: (what: string, number = 1) => void counts.set(what, (counts.get(what) ?? 0) + number),
    counts: () => [...counts],
    /** Of all rules together. */
    violationCount: () => [...violations.values()].reduce((sum, cases) => sum + cases.length, 0),
    violations: (): ReadonlyMap<string, readonly string[]> => violations,
    seconds: () => (Date.now() - begun) / 1000,
  };
}
