/** How often a text may have been escaped; each round undoes one. */
const ROUNDS = 5;

/** Names of HTML's references to ASCII letters, in lower case. */
const ASCII = Object.entries({
  " ": "nbsp tab newline",
  "!": "excl",
  '"': "quot",
  "#": "num",
  $: "dollar",
  "%": "percnt",
  "&": "amp",
  "'": "apos",
  "(": "lpar",
  ")": "rpar",
  "*": "ast midast",
  "+": "plus",
  ",": "comma",
  "-": "hyphen dash",
  ".": "period",
  "/": "sol",
  ":": "colon",
  ";": "semi",
  "<": "lt",
  "=": "equals",
  ">": "gt",
  "?": "quest",
  "@": "commat",
  "[": "lsqb lbrack",
  "\\": "bsol",
  "]": "rsqb rbrack",
  "^": "hat",
  _: "lowbar underbar",
  "`": "grave diacriticalgrave",
  "{": "lcub lbrace",
  "|": "verbar vert verticalline",
  "}": "rcub rbrace",
});
/** Those of the letters from U+00A1, in their order; letter case does not matter. */
const LATIN = [
  "iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg",
  "plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34",
  "iquest agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml",
  "igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml times oslash",
  "ugrave uacute ucirc uuml yacute thorn szlig",
].join(" ");
const NAMED: ReadonlyMap<string, string> = new Map([
  ...ASCII.flatMap(([letter, names]) =>
    names.split(" ").map((name) => [name, letter] as const),
  ),
  ...LATIN.split(" ").map((name, at) => [name, String.fromCodePoint(0xa1 + at)] as const),
]);

const BACKSLASHED: Readonly<Record<string, string>> = {
  n: " ",
  t: " ",
  r: " ",
  b: "",
  f: "",
};
const H = "[0-9a-fA-F]";
/** One escape of URLs, of JSON and programs, or of HTML. */
const ESCAPE = new RegExp(
  [
    `%(?<percent>${H}{2}(?:%[89abAB]${H})*)`,
    String.raw`[\\%]u(?<code>${H}{4})`,
    String.raw`\\U(?<wide>${H}{8})`,
    String.raw`\\[ux]\{(?<point>${H}{1,6})\}`,
    String.raw`\\x(?<bytes>${H}{2}(?:\\x[89abAB]${H})*)`,
    String.raw`\\(?<octal>[0-3][0-7]{2}(?:\\2[0-7]{2})*)`,
    String.raw`\\(?<plain>[^uxUX])`,
    String.raw`&#0*(?<decimal>\d{1,7});?`,
    `&#[xX]0*(?<hex>${H}{1,6});?`,
    "&(?<name>[A-Za-z][A-Za-z0-9]{1,19});",
    "&(?<bare>amp|lt|gt|quot)",
  ].join("|"),
  "g",
);
/** An escape, or a line break, of quoted-printable (RFC 2045 §6.7). In most texts, = means something else. */
const QUOTED = new RegExp(`=(?:(?<bytes>${H}{2}(?:=[89abAB]${H})*)|\\s+)`, "g");

/** An escape in a text: its place, its length, and what it stands for. */
type Escape = { at: number; length: number; letters: string };
/** Finds the escapes of one kind, so that one round of them can be undone. */
export type Escapes = (text: string) => Escape[];

const escapesBy =
  (pattern: RegExp): Escapes =>
  (text) =>
    [...text.matchAll(pattern)].flatMap(({ 0: { length }, index: at, groups = {} }) => {
      const letters = meaningOf(groups);
      return letters === null ? [] : [{ at, length, letters }];
    });

const usual = escapesBy(ESCAPE);
const quoted = escapesBy(QUOTED);

type Undo<T> = (text: T, escapes: Escapes) => T | null;

/** Yields a text and what it becomes when its escapes are undone, round by round; `undo` returns null without any. */
export function* plainer<T>(text: T, undo: Undo<T>): Generator<T> {
  yield* rounds(text, undo);
  const inQuoted = undo(text, quoted);
  if (inQuoted !== null) yield* rounds(inQuoted, undo);
}

function* rounds<T>(text: T, undo: Undo<T>): Generator<T> {
  let next: T | null = text;
  for (let round = 0; next !== null; round += 1) {
    yield next;
    next = round < ROUNDS ? undo(next, usual) : null;
  }
}

/** Undoes one round of escapes in a text; null when there are none. */
export function undone(text: string, escapes: Escapes): string | null {
  const found = escapes(text);
  if (found.length === 0) return null;
  let at = 0;
  let plain = "";
  for (const escape of found) {
    plain += text.slice(at, escape.at) + escape.letters;
    at = escape.at + escape.length;
  }
  return plain + text.slice(at);
}

/** Returns what an escape stands for; null when it is none. */
function meaningOf(groups: Record<string, string | undefined>): string | null {
  const { percent, bytes, octal, plain, decimal, name, bare, code, wide, point, hex } =
    groups;
  if (percent !== undefined) return textOf(percent.split("%"), 16);
  if (bytes !== undefined) return textOf(bytes.split(/\\x|=/), 16);
  if (octal !== undefined) return textOf(octal.split("\\"), 8);
  if (plain !== undefined) return BACKSLASHED[plain] ?? plain;
  const named = name ?? bare;
  if (named !== undefined) return NAMED.get(named.toLowerCase()) ?? null;
  const digits = code ?? wide ?? point ?? hex;
  // A line break of quoted-printable.
  if (digits === undefined && decimal === undefined) return "";
  const value = digits === undefined ? Number(decimal) : parseInt(digits, 16);
  return value <= 0x10ffff ? String.fromCodePoint(value) : null;
}

/** Returns the text of bytes in UTF-8, or in Latin-1 if they are not UTF-8. */
function textOf(digits: readonly string[], radix: number): string {
  const bytes = Buffer.from(digits.map((each) => parseInt(each, radix)));
  const text = bytes.toString("utf8");
  return text.includes("\ufffd") ? bytes.toString("latin1") : text;
}
