import { constants, gunzipSync } from "node:zlib";

/** A letter of a text, and the range of the text that stands for it. */
type Letter = { char: string; from: number; to: number };
export type Range = { from: number; to: number };

/** How often a text may have been escaped; each round undoes one. */
const ROUNDS = 3;
const NAMED: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  sol: "/",
  nbsp: " ",
};
const BACKSLASHED: Readonly<Record<string, string>> = {
  n: " ",
  t: " ",
  r: " ",
  b: "",
  f: "",
};
/** One escape of URLs, of JSON and programs, or of HTML. */
const ESCAPE = new RegExp(
  [
    "%(?<percent>[0-9a-f]{2}(?:%[89a-b][0-9a-f])*)",
    String.raw`\\u(?<code>[0-9a-f]{4})`,
    String.raw`\\u\{(?<point>[0-9a-f]{1,6})\}`,
    String.raw`\\x(?<byte>[0-9a-f]{2})`,
    String.raw`\\(?<plain>[^ux])`,
    String.raw`&#(?<decimal>\d{1,7});`,
    "&#x(?<hex>[0-9a-f]{1,6});",
    "&(?<name>[a-z]{2,6});",
  ].join("|"),
  "iy",
);
/** Runs of letters that may be base64 (of either alphabet) or hex of something longer. */
const ENCODED = /[A-Za-z0-9+/_-]{8,}={0,2}/g;
const HEX = /^(?:[0-9a-f]{2})+$/i;
const LONGEST_UNPACKED = 64 * 1024;

/**
 * Returns the ranges of a text in which a secret stands in a form other than its own: escaped (once or several times,
 * also in part), in another spacing, or inside something in base64, hex or gzip.
 */
export function echoesOf(text: string, secrets: readonly string[]): Range[] {
  const wanted = secrets.map(folded).filter((secret) => secret.length > 3);
  if (wanted.length === 0) return [];
  return [...escapedEchoes(text, wanted), ...encodedEchoes(text, wanted)];
}

/** Folds what a server may change without making a secret unreadable: letter case, blanks. */
const folded = (text: string): string => text.replace(/\s+/g, "").toLowerCase();

function escapedEchoes(text: string, wanted: readonly string[]): Range[] {
  let letters: Letter[] = [...text].reduce<Letter[]>((all, char) => {
    const from = all.at(-1)?.to ?? 0;
    all.push({ char, from, to: from + char.length });
    return all;
  }, []);
  const found = rangesIn(letters, wanted);
  for (let round = 0; round < ROUNDS; round += 1) {
    const plainer = unescaped(letters);
    if (plainer === null) break;
    letters = plainer;
    found.push(...rangesIn(letters, wanted));
  }
  return found;
}

/** Returns where the letters, without blanks, spell a secret. */
function rangesIn(letters: readonly Letter[], wanted: readonly string[]): Range[] {
  const solid = letters.filter(({ char }) => char.trim() !== "");
  const spelt: Letter[] = solid.flatMap(({ char, from, to }) =>
    [...char.toLowerCase()].map((low) => ({ char: low, from, to })),
  );
  const text = spelt.map(({ char }) => char).join("");
  const starts = startsOf(spelt);
  return wanted.flatMap((secret) => {
    const ranges: Range[] = [];
    for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) {
      const [first, last] = [starts[at], starts[at + secret.length - 1]];
      if (first && last) ranges.push({ from: first.from, to: last.to });
    }
    return ranges;
  });
}

/** Maps each unit of the joined text to its letter. */
const startsOf = (letters: readonly Letter[]): Letter[] =>
  letters.flatMap((letter) => Array<Letter>(letter.char.length).fill(letter));

/** Undoes one round of escapes; null when there is none. */
function unescaped(letters: readonly Letter[]): Letter[] | null {
  const text = letters.map(({ char }) => char).join("");
  const units = startsOf(letters);
  const plainer: Letter[] = [];
  let changed = false;
  for (let at = 0; at < text.length;) {
    ESCAPE.lastIndex = at;
    const match = /[%\\&]/.test(text[at] ?? "") ? ESCAPE.exec(text) : null;
    const decoded = match?.groups ? meaningOf(match.groups) : null;
    const length = decoded === null ? 1 : (match?.[0].length ?? 1);
    const [first, last] = [units[at], units[at + length - 1]];
    const char = decoded ?? text[at] ?? "";
    if (first && last && char !== "")
      plainer.push({ char, from: first.from, to: last.to });
    changed ||= decoded !== null;
    at += length;
  }
  return changed ? plainer : null;
}

function meaningOf(groups: Record<string, string | undefined>): string | null {
  const { percent, plain, decimal, name, code, point, byte, hex } = groups;
  if (percent !== undefined)
    return Buffer.from(percent.replaceAll("%", ""), "hex").toString();
  if (plain !== undefined) return BACKSLASHED[plain] ?? plain;
  if (name !== undefined) return NAMED[name.toLowerCase()] ?? null;
  const value =
    decimal === undefined
      ? parseInt(code ?? point ?? byte ?? hex ?? "", 16)
      : Number(decimal);
  return value <= 0x10ffff ? String.fromCodePoint(value) : null;
}

function encodedEchoes(text: string, wanted: readonly string[]): Range[] {
  return [...text.matchAll(ENCODED)].flatMap(({ 0: run, index }) => {
    const bytes = [0, 1, 2, 3].map((skip) => Buffer.from(run.slice(skip), "base64"));
    if (HEX.test(run)) bytes.push(Buffer.from(run, "hex"));
    const holds = bytes.some((each) => {
      const inside = folded(unpacked(each).toString("utf8"));
      return wanted.some((secret) => inside.includes(secret));
    });
    return holds ? [{ from: index, to: index + run.length }] : [];
  });
}

/** Returns what gzip has packed; other bytes as they are. */
function unpacked(bytes: Buffer): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, {
      maxOutputLength: LONGEST_UNPACKED,
      // A message may have cut the end off.
      finishFlush: constants.Z_SYNC_FLUSH,
    });
  } catch {
    return bytes;
  }
}
