import { createHash } from "node:crypto";
import type { ClusterAccess } from "../deps.ts";

/**
 * How long (ms) the regular watch is content with less after the whole test found no problem. A whole test may leave a
 * few bytes at the registry.
 */
const LATELY_MS = 24 * 60 * 60_000;
/** Maximum number of ends that are remembered; there are as many as clusters, and a few that were changed. */
const MOST = 10_000;

/**
 * Remembers which ends have lately passed the whole test, and by which connector. An end is known by everything that
 * leads to it, so another password is another end. Losing this costs a whole test.
 */
export function createPassed<C>(now: () => number) {
  const passed = new Map<string, { connector: C; time: number }>();
  return {
    /** Returns the connector by which an end passed within the last day; null if it did not. */
    by(access: ClusterAccess): C | null {
      const found = passed.get(keyOf(access));
      return found !== undefined && now() - found.time < LATELY_MS
        ? found.connector
        : null;
    },
    /** Notes by which connector an end has just passed; null: it has not. */
    note(access: ClusterAccess, connector: C | null): void {
      const key = keyOf(access);
      passed.delete(key);
      if (connector === null) return;
      passed.set(key, { connector, time: now() });
      const [oldest] = passed.keys();
      if (passed.size > MOST && oldest !== undefined) passed.delete(oldest);
    },
  };
}

/** A digest, so that no password is kept. */
const keyOf = (access: ClusterAccess): string =>
  createHash("sha256").update(JSON.stringify(access)).digest("base64");
