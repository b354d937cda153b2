/**
 * Long work on the database is cut into stretches of some milliseconds, and all of it waits in this
 * one queue, because one thread does the work and also answers requests. Between two stretches the
 * event loop reads input and sends answers, however many loops wait here.
 *
 *     for (;;) { await turn(); if (!planSome()) break; }
 */

/** `answer`: a request waits for exactly this stretch. When both lanes wait, they alternate. */
export type Lane = "answer" | "work";

const waiting: Record<Lane, (() => void)[]> = { answer: [], work: [] };
let last: Lane = "work";
let serving = false;

/**
 * Resolves when the next stretch may begin, first come, first served. A stretch must end without
 * awaiting anything but its next turn.
 */
export function turn(lane: Lane = "work"): Promise<void> {
  return new Promise((resolve) => {
    waiting[lane].push(resolve);
    if (serving) return;
    serving = true;
    setImmediate(serve);
  });
}

/** Runs one stretch in its turn. */
export async function inTurn<T>(stretch: () => T, lane: Lane = "work"): Promise<T> {
  await turn(lane);
  return stretch();
}

/**
 * Resolves the next waiting turn; its stretch runs right after this returns. The loop turns twice
 * before the next one: accepting a connection and reading its request take one pass each.
 */
function serve(): void {
  const next = takeNext();
  serving = next !== undefined;
  if (next === undefined) return;
  next();
  setImmediate(() => setImmediate(serve));
}

function takeNext(): (() => void) | undefined {
  const other = last === "work" ? "answer" : "work";
  if (waiting[other].length > 0) last = other;
  return waiting[last].shift();
}
