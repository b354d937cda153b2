import { LOGIN_NEEDED, REFUSED_LOGIN, WRONG_LOGIN } from "../../domain/login.ts";
import { setBounded } from "../../domain/bounded.ts";
import { type Budget, budgetOfText, charge } from "./budget.ts";
import { echoesOf, type Range } from "./echoes.ts";
import {
  createNeedles,
  folded,
  LONGEST_NEEDLE,
  needleOf,
  type Needles,
  SHORTEST_NEEDLE,
} from "./needles.ts";
import { shortened } from "../../domain/shortened.ts";

/** Tokens of an end that are kept: each repository has its own, and a registry may have many more repositories. */
export const MOST_TOKENS = 1_000;
/** Secrets of an end that are hidden besides the given ones: each token that is kept, and the one before it. */
const MOST_OTHERS = 2 * MOST_TOKENS;
const LONGEST_EXCERPT = 300;
/** Letters of a foreign text that are read, with blanks that are not shown. */
const LONGEST_READ = 8_192;
/** Letters of the longest secret that are passed over, so that words after it can be shown. */
const LONGEST_PASSED = 4_096;
/** Letters that as much of a secret as is looked for may take in one of its forms. */
const BORDER = 2_048;
const HIDDEN = "***";
/** A secret of so few letters and digits is hidden only where it stands as a word: it is part of too many others. */
const SHORT = /^[\p{L}\p{N}]{1,3}$/u;
/** Sentences with which an instance refuses a login. They are ours, and their words may be somebody's password. */
const OUR_SENTENCES: ReadonlySet<string> = new Set(
  [LOGIN_NEEDED, WRONG_LOGIN, REFUSED_LOGIN].flatMap(({ en, zh }) => [en, zh]),
);

/**
 * Makes a foreign text (of a server, or of a library that may quote one) safe for a message: one line of at most
 * 300 characters without control characters, in which *** replaces each secret, and what was not examined. Apply it to
 * the foreign text alone and never to a sentence of ours, whose words may be somebody's password. `rest`: what the
 * texts of one answer may still cost together; the cost of this one is taken from it.
 */
export type Shown = (text: string, rest?: Budget) => string;

/** Returns the function that hides `secrets`, which a server may echo, in foreign texts. */
export const createShown = (secrets: readonly string[]): Shown =>
  createGrowingShown(secrets).shown;

/**
 * Returns a function as `createShown` does, which also hides the last secrets that `hide` was given: logins that an end
 * has exchanged for the given one, such as its tokens.
 */
export function createGrowingShown(secrets: readonly string[]): {
  shown: Shown;
  hide: (secret: string) => void;
} {
  const own = secrets.map((secret) => [needleOf(secret), folded(secret).length] as const);
  const others = new Map<string, number>();
  let sought: Sought | undefined;
  return {
    shown(text, rest) {
      const read = oneLine(text.slice(0, LONGEST_READ));
      if (OUR_SENTENCES.has(read)) return read;
      sought ??= soughtOf(secrets, [...others, ...own]);
      const before = budgetOfText(rest);
      if (before.steps <= 0) return HIDDEN;
      const longest = Math.min(LONGEST_PASSED, sought.needles.longest);
      const line = read.slice(0, LONGEST_EXCERPT + 1 + longest + BORDER);
      const isCut = text.length > LONGEST_READ || line.length < read.length;
      const after = { ...before };
      const ranges = rangesIn(line, sought, after);
      if (rest !== undefined) charge(rest, before, after);
      return excerpt(hidden(line, ranges, isCut ? line.length - BORDER : line.length));
    },
    hide(secret) {
      if (secrets.includes(secret)) return;
      const needle = needleOf(secret);
      const known = others.get(needle);
      const length = Math.max(known ?? 0, folded(secret).length);
      // The secret that was used last is dropped last.
      others.delete(needle);
      setBounded(others, needle, length, MOST_OTHERS);
      if (known !== length) sought = undefined;
    },
  };
}

/** What is looked for: secrets in their usual forms by a pattern, and in all others. */
type Sought = { pattern: RegExp | null; needles: Needles };

/** `needles`: as `createNeedles` takes them; those that are too short for it are found by the pattern. */
function soughtOf(
  secrets: readonly string[],
  needles: readonly (readonly [string, number])[],
): Sought {
  const short = needles.flatMap(([needle]) =>
    needle.length < SHORTEST_NEEDLE ? [needle] : [],
  );
  const longest = new Map<string, number>();
  for (const [needle, length] of needles)
    longest.set(needle, Math.max(length, longest.get(needle) ?? 0));
  return { pattern: patternOf([...secrets, ...short]), needles: createNeedles(longest) };
}

function rangesIn(line: string, { pattern, needles }: Sought, budget: Budget): Range[] {
  if (pattern === null && needles.longest === 0) return [];
  const plain = pattern === null ? [] : [...line.matchAll(pattern)];
  return [
    ...plain.map(({ 0: match, index }) => ({ from: index, to: index + match.length })),
    ...(needles.longest === 0 ? [] : echoesOf(line, needles, budget)),
  ];
}

/**
 * Puts *** in place of the ranges. What begins at `end` or behind is left out, since in a text that was cut it may be
 * the beginning of a secret.
 */
function hidden(line: string, ranges: Range[], end: number): string {
  let at = 0;
  let shown = "";
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    if (from >= end) break;
    if (from >= at) shown += line.slice(at, from) + HIDDEN;
    at = Math.max(at, to);
  }
  return shown + line.slice(at, Math.max(at, end));
}

/** Shortens a line to what a message quotes of it. */
export const excerpt = (line: string): string => shortened(line, LONGEST_EXCERPT);

/** Letters that nobody sees are left out: they would only part what belongs together. */
const oneLine = (text: string): string =>
  text
    .replace(/[\p{Cc}\s]+/gu, " ")
    .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]+/gu, "")
    .trim();

/**
 * Builds the pattern of all secrets in all their forms, the longest first; null without secrets. Hosts of URLs are
 * in lower case, so case does not matter.
 */
function patternOf(secrets: readonly string[]): RegExp | null {
  const patterns = [...new Set(secrets.flatMap(patternsOf))].toSorted(
    (a, b) => b.length - a.length,
  );
  return patterns.length === 0 ? null : new RegExp(patterns.join("|"), "giu");
}

function patternsOf(secret: string): string[] {
  const isCut = secret.length > LONGEST_NEEDLE;
  const begin = secret.slice(0, LONGEST_NEEDLE).replace(/\p{Surrogate}$/u, "");
  return formsOf(isCut ? begin : secret)
    .filter((form) => form !== "")
    .map((form) => {
      const literal = form.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      if (isCut) return `${literal}\\S*`;
      return SHORT.test(form)
        ? `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`
        : literal;
    });
}

/**
 * Returns the forms in which a server may echo a secret: as it is, encoded for URLs or forms, escaped for JSON or
 * HTML. Lone surrogates cannot be encoded for URLs and are dropped.
 */
function formsOf(secret: string): string[] {
  const encoded = encodeURIComponent(secret.replace(/\p{Surrogate}/gu, ""));
  const html = secret
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;");
  return [
    secret,
    encoded,
    encoded.replaceAll("%20", "+"),
    JSON.stringify(secret).slice(1, -1),
    html.replaceAll('"', "&quot;").replaceAll("'", "&#39;"),
    html.replaceAll('"', "&#34;").replaceAll("'", "&#x27;"),
  ].map(oneLine);
}

/** How messages name a URL and its host: without credentials and query, since signed links carry keys there. */
export type Place = { host: string; where: string };

/**
 * Returns the place of a URL. `ours`: the beginning that this program knows without the server; what follows it is a
 * foreign text. Undefined: all of the URL is ours.
 */
export function placeOf(url: URL, ours: string | undefined, shown: Shown): Place {
  const origin = `${url.protocol}//${url.host}`;
  const text = origin + url.pathname;
  if (ours === undefined) return { host: url.host, where: text };
  if (!text.startsWith(ours)) {
    const where = `${url.protocol}//${shown(url.host + url.pathname)}`;
    return { host: shown(url.host), where };
  }
  const host = ours.startsWith(origin) ? url.host : shown(url.host);
  return { host, where: ours + shown(text.slice(ours.length)) };
}
