/** Maximum length (characters) of a name that is compared; longer ones are near nothing. */
const LONGEST = 64;

/**
 * Returns the known name that a misspelt one most likely means; null if none is near. Letter case does not count, and
 * up to one wrong, missing, additional or exchanged letter in three is forgiven.
 */
export function nearest(name: string, known: readonly string[]): string | null {
  if (name.length > LONGEST) return null;
  const given = name.toLowerCase();
  const most = Math.min(3, Math.max(1, Math.floor(given.length / 3)));
  let best: string | null = null;
  let least = most + 1;
  for (const candidate of known) {
    const steps = distance(given, candidate.toLowerCase());
    if (steps < least) [best, least] = [candidate, steps];
  }
  return best;
}

/** Returns the least number of letters to change, add, drop or exchange with their neighbour to get `b` from `a`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const changed = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (before[j - 2] ?? 0) + 1
          : Infinity;
      row.push(Math.min(changed, swapped, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    [before, last] = [last, row];
  }
  return last[b.length] ?? 0;
}
