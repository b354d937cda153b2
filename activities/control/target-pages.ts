import type { Db } from "../../db/open.ts";
import { type Target, targetsAfter } from "../../db/runs/targets.ts";
import { firstOf } from "./answers.ts";

/**
 * Maximum number of lists of targets (one for each run and start) that are kept in memory between two
 * pages; the list read longest ago is dropped first and then computed again.
 */
const MOST_RUNS = 100;

/** One page of the targets of a run. `next`: the position of the next page; null after the last page. */
export type TargetPage = { targets: Target[]; next: number | null };

/**
 * Returns a function that reads the targets of a run page by page, only those of clusters that follow the
 * cluster `after` in the run (null: all). The targets are kept between two pages, so that they are rarely
 * computed again.
 */
export function createTargetPages(db: Db) {
  const reading = new Map<string, Target[]>();

  return function page(
    recordId: string,
    from: number,
    after: string | null = null,
  ): TargetPage {
    const key = `${recordId}/${after ?? ""}`;
    const targets =
      (from > 0 ? reading.get(key) : undefined) ?? targetsAfter(db, recordId, after);
    reading.delete(key);
    const read = firstOf(targets.slice(from));
    const next = from + read.length < targets.length ? from + read.length : null;
    if (next !== null) reading.set(key, targets);
    const [oldest] = reading.keys();
    if (reading.size > MOST_RUNS && oldest !== undefined) reading.delete(oldest);
    return { targets: read, next };
  };
}
