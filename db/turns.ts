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

/** What waits of each kind: by whose it is, in the order of their turns. */
const waiting: Record<Kind, Map<unknown, (() => void)[]>> = {
  answer: new Map(),
  work: new Map(),
};
let last: Kind = "work";
let serving = false;

/**
 * Resolves when the caller may do its next piece of work on the database. A piece must end without awaiting
 * anything but its next turn. `whose`: the record that the piece belongs to. Records take turns, so that a run
 * of one file does not wait behind the reports of a hundred batches. A piece of no record takes turns by itself.
 */
export function turn(kind: Kind = "work", whose: string | null = null): Promise<void> {
  return new Promise((resolve) => {
    const key = whose ?? resolve;
    const before = waiting[kind].get(key);
    if (before) before.push(resolve);
    else waiting[kind].set(key, [resolve]);
    if (serving) return;
    serving = true;
    setImmediate(serve);
  });
}

/**
 * Waits for a turn of this kind of work, then runs one short piece of work on the database and returns
 * its result.
 */
export async function inTurn<T>(
  stretch: () => T,
  kind: Kind = "work",
  whose: string | null = null,
): Promise<T> {
  await turn(kind, whose);
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
  if (waiting[other].size > 0) last = other;
  const [first] = waiting[last];
  if (first === undefined) return undefined;
  const [key, pieces] = first;
  const next = pieces.shift();
  // Whoever had a turn comes after all others that wait.
  waiting[last].delete(key);
  if (pieces.length > 0) waiting[last].set(key, pieces);
  return next;
}
