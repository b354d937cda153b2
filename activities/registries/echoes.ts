import { type Budget, spend } from "./budget.ts";
import { type Escapes, plainer, undone } from "./escapes.ts";
import { folded, type Needles, solid } from "./needles.ts";
import { unpacked } from "./packed.ts";

/** A letter of a text, and the range of the text that stands for it. */
type Letter = { char: string; from: number; to: number };
export type Range = { from: number; to: number };
/** A search for secrets; `isCut`: a secret was found of which only the beginning was compared. */
type Search = { needles: Needles; budget: Budget; isCut: boolean };

/** Runs of letters that may be base64 (of either alphabet) of something longer, and those of hex in them. */
const ENCODED = /[A-Za-z0-9+/_-]{6,}={0,2}/g;
const HEX = /[0-9a-fA-F]{8,}/g;
/** How many codings may lie one within the other. */
const DEPTH = 3;
/** Letters of base64 from which deflate without a header is tried. */
const SHORTEST_PACKED = 16;

/**
 * Returns the ranges of a text (one line) in which a secret stands in a form other than its own: escaped (once or
 * several times, also in part), in another spacing, or inside something in base64, hex, gzip or deflate. Returns all of
 * the text if the budget is too small for it.
 */
export function echoesOf(text: string, needles: Needles, budget: Budget): Range[] {
  const search = { needles, budget, isCut: false };
  const clean = new Set<string>();
  const found: Range[] = [];
  for (const layer of plainer(lettersOf(text), undoneLetters)) {
    if (!spend(budget, text.length)) break;
    const seen = layer.filter(({ char }) => solid(char) !== "");
    found.push(
      ...plainEchoes(text, seen, needles),
      ...encodedEchoes(seen, search, clean),
    );
  }
  return budget.steps > 0 ? found : [{ from: 0, to: text.length }];
}

function lettersOf(text: string): Letter[] {
  let from = 0;
  return Array.from(text, (char) => {
    const to = from + char.length;
    return { char, from: (from = to) - char.length, to };
  });
}

/** Maps each unit of the joined text to its letter. */
const unitsOf = (letters: readonly Letter[]): Letter[] =>
  letters.flatMap((letter) => Array<Letter>(letter.char.length).fill(letter));

/** Undoes one round of escapes; null when there is none. */
function undoneLetters(letters: readonly Letter[], escapes: Escapes): Letter[] | null {
  const text = letters.map(({ char }) => char).join("");
  const found = escapes(text);
  if (found.length === 0) return null;
  const units = unitsOf(letters);
  const plain: Letter[] = [];
  const add = (char: string, first: number, length: number) => {
    const [begin, end] = [units[first], units[first + length - 1]];
    if (begin && end && char !== "") plain.push({ char, from: begin.from, to: end.to });
  };
  let at = 0;
  const copy = (to: number) => {
    for (const char of text.slice(at, to)) {
      add(char, at, char.length);
      at += char.length;
    }
  };
  for (const escape of found) {
    copy(escape.at);
    add(escape.letters, escape.at, escape.length);
    at = escape.at + escape.length;
  }
  copy(text.length);
  return plain;
}

/** Returns where the letters spell a secret. The rest of one of which only the beginning is compared goes with it. */
function plainEchoes(text: string, seen: readonly Letter[], needles: Needles): Range[] {
  const spelt = seen.map(({ char, from, to }) => ({ char: folded(char), from, to }));
  const units = unitsOf(spelt);
  return needles
    .find(spelt.map(({ char }) => char).join(""))
    .flatMap(({ at, length, isCut }) => {
      const [first, last] = [units[at], units[at + length - 1] ?? units.at(-1)];
      if (first === undefined || last === undefined) return [];
      const blank = isCut ? text.indexOf(" ", last.to) : last.to;
      return [{ from: first.from, to: blank < 0 ? text.length : blank }];
    });
}

/**
 * Returns the words in which a secret is encoded. Blanks may stand anywhere in what is encoded, so that the words of a
 * run are decoded together. `clean`: runs in which nothing was found.
 */
function encodedEchoes(
  seen: readonly Letter[],
  search: Search,
  clean: Set<string>,
): Range[] {
  const units = unitsOf(seen);
  const text = seen.map(({ char }) => char).join("");
  return [...text.matchAll(ENCODED)].flatMap(({ 0: run, index }) => {
    if (clean.has(run)) return [];
    const letters = units.slice(index, index + run.length);
    const found = wordsThatHold(run, wordsOf(letters), search);
    if (found.length === 0) clean.add(run);
    return found.flatMap(({ from, to }) => {
      const [first, last] = [letters[from], letters[to - 1]];
      return first && last ? [{ from: first.from, to: last.to }] : [];
    });
  });
}

/** Returns the words of a run: its letters between two blanks. */
function wordsOf(letters: readonly Letter[]): Range[] {
  const starts = [...letters.keys()].filter(
    (at) => at === 0 || letters[at]?.from !== letters[at - 1]?.to,
  );
  return starts.map((from, at) => ({ from, to: starts[at + 1] ?? letters.length }));
}

/** Returns the fewest words of a run without which no secret is encoded in it. */
function wordsThatHold(run: string, words: readonly Range[], search: Search): Range[] {
  const found: Range[] = [];
  const holds = (first: number, last: number): boolean => {
    const some = words.slice(first, last + 1);
    const begin = some[0]?.from ?? 0;
    const starts = some
      .filter(({ from, to }) => to - from >= SHORTEST_PACKED)
      .map(({ from }) => from - begin);
    return holdsEncoded(run.slice(begin, some.at(-1)?.to), starts, DEPTH, search);
  };
  const end = words.length - 1;
  for (let next = 0; next <= end && holds(next, end);) {
    search.isCut = false;
    const from = next;
    let last = least(from, end, (at) => holds(from, at));
    const to = last;
    const first = to - least(0, to - from, (less) => holds(to - less, to));
    // The rest of a long secret: the following line, and more while the lines are equally long.
    const width = lengthOf(words[last]);
    for (let more = search.isCut; more && last < end;) {
      last += 1;
      more = lengthOf(words[last]) === width;
    }
    found.push({ from: words[first]?.from ?? 0, to: words[last]?.to ?? run.length });
    next = last + 1;
  }
  return found;
}

const lengthOf = (word: Range | undefined): number =>
  word === undefined ? 0 : word.to - word.from;

/** Returns the least number from `low` to `high` for which `isEnough` holds, which it does for `high`. */
function least(low: number, high: number, isEnough: (at: number) => boolean): number {
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** Whether a secret is encoded in a run; `starts`: where something packed without a header may begin. */
function holdsEncoded(
  run: string,
  starts: readonly number[],
  depth: number,
  search: Search,
): boolean {
  const inHex = [...run.matchAll(HEX)].flatMap(([digits]) =>
    [0, 1].map((skip) => Buffer.from(digits.slice(skip), "hex")),
  );
  const inBase64 = [0, 1, 2, 3].map((skip) => Buffer.from(run.slice(skip), "base64"));
  return (
    [...inBase64, ...inHex].some((bytes) => holds(bytes, depth, search)) ||
    starts.some((at) => {
      if (!spend(search.budget, run.length - at)) return true;
      return holdsPacked(Buffer.from(run.slice(at), "base64"), true, depth, search);
    })
  );
}

/** Whether bytes hold a secret, or may hold one that the budget does not reach. */
const holds = (bytes: Buffer, depth: number, search: Search): boolean =>
  holdsPlain(bytes.toString("utf8"), depth, search) ||
  holdsPacked(bytes, false, depth, search);

function holdsPacked(
  bytes: Buffer,
  isStart: boolean,
  depth: number,
  search: Search,
): boolean {
  const contents = unpacked(bytes, isStart, search.budget);
  return (
    contents === null ||
    contents.some((content) => holdsPlain(content.toString("utf8"), depth, search))
  );
}

function holdsPlain(text: string, depth: number, search: Search): boolean {
  for (const layer of plainer(text, undone)) {
    if (!spend(search.budget, layer.length)) return true;
    const found = search.needles.find(folded(layer));
    search.isCut ||= found.some(({ isCut }) => isCut);
    if (found.length > 0 || (depth > 1 && holdsRuns(solid(layer), depth - 1, search)))
      return true;
  }
  return false;
}

const holdsRuns = (text: string, depth: number, search: Search): boolean =>
  [...text.matchAll(ENCODED)].some(({ 0: run }) =>
    holdsEncoded(run, run.length < SHORTEST_PACKED ? [] : [0], depth, search),
  );
