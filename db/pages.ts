import { inTurn, type Lane } from "./turns.ts";

/** Repeats a bounded transaction until it changes nothing more; each is a stretch in its turn. */
export async function inPages(page: () => number, lane: Lane = "work"): Promise<void> {
  while ((await inTurn(page, lane)) > 0);
}
