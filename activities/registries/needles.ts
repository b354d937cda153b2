/** Letters of a secret that are looked for; what follows them counts as its rest. */
export const LONGEST_NEEDLE = 64;
/** Letters that a secret must have to be found in the middle of others. */
export const SHORTEST_NEEDLE = 4;
/** What a server may change without making a secret unreadable: blanks, and letters that nobody sees. */
const UNSEEN = /[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]+/gu;

/** What is solid, and needs no folding but of letter case. */
const PLAIN = /^[!-~]*$/;

/** Where a secret stands: `length` letters from `at`; of `isCut`, only the beginning was compared. */
type Find = { at: number; length: number; isCut: boolean };
/** Finds secrets in folded texts; `longest`: letters of the longest one. */
export type Needles = { find: (text: string) => Find[]; longest: number };

/** Leaves out what nobody sees in a text. */
export const solid = (text: string): string =>
  PLAIN.test(text) ? text : text.replace(UNSEEN, "");

/** Folds what a server may change without making a secret unreadable: blanks, letter case, forms of a letter. */
export function folded(text: string): string {
  if (PLAIN.test(text)) return text.toUpperCase();
  // In capitals at last, since the small form of a sigma depends on where it stands.
  return solid(text.normalize("NFKD")).toLowerCase().toUpperCase();
}

/** Returns what is looked for of a secret, in a copy of its own that does not keep the rest in memory. */
export const needleOf = (secret: string): string =>
  [...folded(secret)].slice(0, LONGEST_NEEDLE).join("");

/**
 * Prepares the search for secrets: `needles` maps what is looked for to the length of the whole secret. A search takes
 * about as many steps as a text has letters, however many secrets there are.
 */
export function createNeedles(needles: ReadonlyMap<string, number>): Needles {
  const starts = new Map<string, Map<number, Map<string, number>>>();
  let longest = 0;
  for (const [needle, length] of needles) {
    if (needle.length < SHORTEST_NEEDLE) continue;
    const start = needle.slice(0, SHORTEST_NEEDLE);
    const lengths = starts.get(start) ?? new Map<number, Map<string, number>>();
    const equal = lengths.get(needle.length) ?? new Map<string, number>();
    starts.set(start, lengths.set(needle.length, equal.set(needle, length)));
    longest = Math.max(longest, length);
  }

  function find(text: string): Find[] {
    const found: Find[] = [];
    for (let at = 0; at + SHORTEST_NEEDLE <= text.length; at += 1) {
      const lengths = starts.get(text.slice(at, at + SHORTEST_NEEDLE));
      if (lengths === undefined) continue;
      for (const [compared, equal] of lengths) {
        const length = equal.get(text.slice(at, at + compared));
        if (length !== undefined) found.push({ at, length, isCut: length > compared });
      }
    }
    return found;
  }
  return { find, longest };
}
