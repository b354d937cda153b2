import { setBounded } from "../../domain/bounded.ts";
import type { Places } from "./places.ts";

/**
 * A workflow that wants to cut batches for one cluster. `ends`: the cluster, and the linked repository that
 * is read, if the cut is of one linked object.
 */
export type Asker = {
  workflowId: string;
  projectId: string;
  recordId: string;
  ends: readonly string[];
};

/**
 * A workflow that waits for its turn to cut. `since`: since when; `most`: how many batches it wants;
 * `granted`: how many it may cut; `grantedAt`: when it last asked or was granted one. Both times are of the clock that
 * nobody sets.
 */
export type Waiter = Asker & {
  since: number;
  most: number;
  granted: number;
  grantedAt: number;
};

/**
 * Grants the free places to waiting workflows, one batch at a time in the order of their turns. Returns
 * the workflows that were granted any.
 */
export function allot(
  waiters: readonly Waiter[],
  { take, has }: Pick<Places, "take" | "has">,
  served: Served,
  ticks: () => number,
): Waiter[] {
  const given = new Set<Waiter>();
  for (;;) {
    const fitting = waiters.filter(
      ({ granted, most, ends }) => granted < most && has(ends),
    );
    const next = fitting.reduce<Waiter | undefined>(
      (first, one) => (first === undefined || served.isBefore(one, first) ? one : first),
      undefined,
    );
    if (!next) return [...given];
    next.granted += 1;
    next.grantedAt = ticks();
    take(next.ends, 1);
    served.serve(next);
    given.add(next);
  }
}

type Served = ReturnType<typeof createServed>;

/**
 * Maximum number of clusters, projects and runs whose last turn is remembered; the ones served longest
 * ago are dropped.
 */
const MOST_KEPT = 10_000;

const servedKeys = ({ ends, projectId, recordId }: Asker) => [
  `end ${ends[0]}`,
  `project ${projectId}`,
  `run ${recordId}`,
];

/**
 * Remembers when each cluster, project and run last had a turn. The one whose turn was longest ago
 * comes first.
 */
export function createServed() {
  const last = new Map<string, number>();
  let clock = 0;
  return {
    serve(asker: Asker): void {
      clock += 1;
      for (const key of servedKeys(asker)) {
        last.delete(key);
        setBounded(last, key, clock, MOST_KEPT);
      }
    },
    /**
     * Whether `one` is served before `other`: first the one whose cluster was served longer ago, then
     * whose project, then whose run, then the one that has waited longer.
     */
    isBefore(one: Waiter, other: Waiter): boolean {
      const [mine, theirs] = [servedKeys(one), servedKeys(other)];
      for (const [at, key] of mine.entries()) {
        const difference = (last.get(key) ?? 0) - (last.get(theirs[at] ?? "") ?? 0);
        if (difference !== 0) return difference < 0;
      }
      return one.since < other.since;
    },
  };
}
