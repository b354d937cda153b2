/**
 * This file lets pieces of work on the database, of some milliseconds each, wait for their turn,
 * because one thread does this work and also answers requests. Between two pieces the event loop
 * reads requests and sends answers, however much work waits.
 *
 *     for (;;) { await turn(); if (!planSome()) break; }
 */

/**
 * Kinds of work. `answer`: a request waits for exactly this piece of work; `work`: everything else.
 * When both kinds wait, they alternate.
 */
export type Kind = "answer" | "work";

const waiting: Record<Kind, (() => void)[]> = { answer: [], work: [] };
let last: Kind = "work";
let serving = false;

/**
 * Resolves when the caller may do its next piece of work on the database; calls of the same kind
 * are served in their order. A piece must end without awaiting anything but its next turn.
 */
export function turn(kind: Kind = "work"): Promise<void> {
  return new Promise((resolve) => {
    waiting[kind].push(resolve);
    if (serving) return;
    serving = true;
    setImmediate(serve);
  });
}

/**
 * Waits for a turn of this kind of work, then runs one short piece of work on the database and returns
 * its result.
 */
export async function inTurn<T>(stretch: () => T, kind: Kind = "work"): Promise<T> {
  await turn(kind);
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
