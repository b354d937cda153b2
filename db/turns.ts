/**
 * Divides long work on the database into pieces of some milliseconds, because one thread does the
 * work and also answers requests. All pieces wait in this one queue. Between two pieces the event
 * loop reads input and sends answers, however many loops wait here.
 *
 *     for (;;) { await turn(); if (!planSome()) break; }
 */

/**
 * Kinds of work. `answer`: a request waits for exactly this piece of work; `work`: everything else.
 * When both lanes wait, they alternate.
 */
export type Lane = "answer" | "work";

const waiting: Record<Lane, (() => void)[]> = { answer: [], work: [] };
let last: Lane = "work";
let serving = false;

/**
 * Resolves when the next piece of work may begin, first come, first served. A piece must end
 * without awaiting anything but its next turn.
 */
export function turn(lane: Lane = "work"): Promise<void> {
  return new Promise((resolve) => {
    waiting[lane].push(resolve);
    if (serving) return;
    serving = true;
    setImmediate(serve);
  });
}

/** Runs one piece of work in its turn. */
export async function inTurn<T>(stretch: () => T, lane: Lane = "work"): Promise<T> {
  await turn(lane);
  return stretch();
}

/**
 * Resolves the next waiting turn; its piece of work runs right after this returns. The event loop
 * passes twice before the next turn: accepting a connection and reading its request take one pass
 * each.
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
