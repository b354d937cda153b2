import { createHash } from "node:crypto";
import { setBounded } from "../../domain/bounded.ts";
import type { CheckUse } from "../../domain/check.ts";
import type { ClusterAccess } from "../deps.ts";

/**
 * How long (ms) the regular watch is content with less after the whole test found no problem. A whole test may leave a
 * few bytes at the registry.
 */
const PASSED_MS = 24 * 60 * 60_000;
/** How long (ms) the watch asks a single question of an end that refused the login; another product may accept it. */
const REFUSED_MS = 60 * 60_000;
/** Maximum number of ends that are remembered; there are as many as clusters, and a few that were changed. */
const MOST = 10_000;

/** How an end did in its last whole test; `use`: what the watch asks `connector` for until that is too long ago. */
type Last<C> = { connector: C; use: CheckUse; isRefused: boolean };
/** `last`: null when the last test failed in another way than by a refused login. */
type Entry<C> = { last: Last<C> | null; time: number; hasPushed: boolean };

/**
 * Remembers how ends did in their tests. An end is known by everything that leads to it, so another password is another
 * end. Losing this costs a whole test, in which a login that may not push has never pushed.
 */
export function createPassed<C>(now: () => number) {
  const entries = new Map<string, Entry<C>>();
  return {
    /** Returns how an end did lately; null when the whole test is due. */
    last(access: ClusterAccess): Last<C> | null {
      const entry = entries.get(keyOf(access));
      if (entry === undefined || entry.last === null) return null;
      const life = entry.last.isRefused ? REFUSED_MS : PASSED_MS;
      return now() - entry.time < life ? entry.last : null;
    },
    /** Whether a whole test of the end has ever found that it may be pushed to. */
    hasPushed: (access: ClusterAccess): boolean =>
      entries.get(keyOf(access))?.hasPushed === true,
    /** Notes how an end has just done; `pushed`: it may be pushed to. */
    note(access: ClusterAccess, last: Last<C> | null, pushed = false): void {
      const key = keyOf(access);
      const hasPushed = pushed || entries.get(key)?.hasPushed === true;
      entries.delete(key);
      if (last === null && !hasPushed) return;
      setBounded(entries, key, { last, time: now(), hasPushed }, MOST);
    },
  };
}

/** A digest, so that no password is kept. */
const keyOf = (access: ClusterAccess): string =>
  createHash("sha256").update(JSON.stringify(access)).digest("base64");
