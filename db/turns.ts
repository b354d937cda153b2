/**
 * Long work on the state goes in stretches of some milliseconds, and all of it in this one queue, for one thread does
 * it all and answers requests besides: between any two stretches the event loop looks for input and lets other answers
 * out, however many loops go on at once.
 *
 *     for (;;) { await turn(); if (!planSome()) break; }
 */

/**
 * `answer`: somebody waits for just this; it goes before `work`, but not before all of it: where both wait they
 * alternate.
 */
export type Lane = "answer" | "work";

const waiting: Record<Lane, (() => void)[]> = { answer: [], work: [] };
let last: Lane = "work";
let serving = false;

/**
 * Resolves when the next stretch may begin, which must end without waiting for anything but its next turn. First come,
 * first served.
 */
export function turn(lane: Lane = "work"): Promise<void> {
  return new Promise((resolve) => {
    waiting[lane].push(resolve);
    if (serving) return;
    serving = true;
    setImmediate(serve);
  });
}

/** Does one stretch in its turn. */
export async function inTurn<T>(stretch: () => T, lane: Lane = "work"): Promise<T> {
  await turn(lane);
  return stretch();
}

/**
 * The stretch itself runs when this has returned, before anything else. Twice through the loop: a connection and its
 * request are two looks.
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
