import type { Lane } from "../domain/lanes.ts";

type Activities = Record<string, (...args: never[]) => Promise<unknown>>;

/** Counts how many slots of each lane are in use. */
export function createUse() {
  const used: Record<Lane, number> = { SHARED: 0, QUICK: 0, WHOLE: 0, ALONE: 0 };
  /** Wraps the activities so that each counts as a used slot of `lane` while it runs. */
  function counted<T extends Activities>(lane: Lane, activities: T): Activities {
    const count = (work: T[string]): T[string] =>
      (async (...args: never[]) => {
        used[lane] += 1;
        try {
          return await work(...args);
        } finally {
          used[lane] -= 1;
        }
      }) as T[string];
    return Object.fromEntries(
      Object.entries(activities).map(([name, work]) => [name, count(work as T[string])]),
    );
  }
  return { used, counted };
}
