import { inTurn, type Kind } from "./turns.ts";

/**
 * Repeats a bounded transaction until it changes nothing more; before each run it waits for its
 * turn among the work on the database. `page` returns how many rows it changed.
 */
export async function inPages(page: () => number, kind: Kind = "work"): Promise<void> {
  while ((await inTurn(page, kind)) > 0);
}
