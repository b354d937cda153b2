import type { Db } from "../../db/open.ts";
import { runTargets, type Target } from "../../db/runs/targets.ts";

/** Child descriptors in one answer, which stays below 4 KiB also where names are no ASCII. */
const TARGETS_PAGE = 12;
/** Runs whose targets are being read at a time and kept meanwhile; of others they are found anew. */
const MOST_RUNS = 100;

/** `next`: from where on there are more. */
export type TargetPage = { targets: Target[]; next: number | null };

/** Reads the targets of a run page by page; they are found once for all pages. */
export function createTargetPages(db: Db) {
  const reading = new Map<string, Target[]>();

  return function page(recordId: string, from: number): TargetPage {
    const targets = (from > 0 ? reading.get(recordId) : undefined) ?? runTargets(db, recordId).targets;
    reading.delete(recordId);
    const next = from + TARGETS_PAGE < targets.length ? from + TARGETS_PAGE : null;
    if (next !== null) reading.set(recordId, targets);
    const [oldest] = reading.keys();
    if (reading.size > MOST_RUNS && oldest !== undefined) reading.delete(oldest);
    return { targets: targets.slice(from, from + TARGETS_PAGE), next };
  };
}
