import { LOGIN_NEEDED, REFUSED_LOGIN, WRONG_LOGIN } from "../../domain/login.ts";
import { setBounded } from "../../domain/bounded.ts";
import { echoesOf, type Range } from "./echoes.ts";
import { shortened } from "../../domain/shortened.ts";

/** Secrets of an end that are hidden besides the given ones. */
const MOST_OTHERS = 50;
const LONGEST_EXCERPT = 300;
/** Letters of a foreign text that are looked at; few of them are shown. */
const LONGEST_READ = 8_192;
/** Letters that a secret may take in one of its forms. */
const LONGEST_SECRET = 4_096;
/** Letters of a secret that are looked for; after them, everything up to the next blank counts as part of it. */
const LONGEST_PATTERN = 64;
/** A secret of so few letters and digits is hidden only where it stands as a word: it is part of too many others. */
const SHORT = /^[\p{L}\p{N}]{1,3}$/u;
/** Sentences with which an instance refuses a login. They are ours, and their words may be somebody's password. */
const OUR_SENTENCES: ReadonlySet<string> = new Set(
  [LOGIN_NEEDED, WRONG_LOGIN, REFUSED_LOGIN].flatMap(({ en, zh }) => [en, zh]),
);

/**
 * Makes a foreign text (of a server, or of a library that may quote one) safe for a message: one line of at most
 * 300 characters without control characters, in which *** replaces each secret. Apply it to the foreign text alone
 * and never to a sentence of ours, whose words may be somebody's password.
 */
export type Shown = (text: string) => string;

/** Returns the function that hides `secrets`, which a server may echo, in foreign texts. */
export function createShown(secrets: readonly string[]): Shown {
  let pattern: RegExp | null | undefined;
  return (text) => {
    const line = oneLine(text.slice(0, LONGEST_READ));
    if (OUR_SENTENCES.has(line)) return line;
    pattern ??= patternOf(secrets);
    if (pattern === null) return excerpt(line);
    const plain = [...line.matchAll(pattern)].map(({ 0: match, index }) => ({
      from: index,
      to: index + match.length,
    }));
    return excerpt(hidden(line, [...plain, ...echoesOf(line, secrets)]));
  };
}

/**
 * Returns a function as `createShown` does, which also hides the last secrets that `hide` was given: logins that an end
 * has exchanged for the given one, such as its tokens.
 */
export function createGrowingShown(secrets: readonly string[]) {
  const others = new Map<string, true>();
  let current = createShown(secrets);
  return {
    shown: (text: string): string => current(text),
    hide(secret: string): void {
      if (secrets.includes(secret) || others.has(secret)) return;
      setBounded(others, secret, true, MOST_OTHERS);
      current = createShown([...secrets, ...others.keys()]);
    },
  };
}

/**
 * Puts *** in place of the ranges. The end of a text that was cut is left out, since it may be the beginning of a
 * secret.
 */
function hidden(line: string, ranges: Range[]): string {
  let at = 0;
  let shown = "";
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    if (from >= at) shown += `${line.slice(at, from)}***`;
    at = Math.max(at, to);
  }
  return shown + line.slice(at, Math.max(at, LONGEST_READ - LONGEST_SECRET));
}

/** Shortens a line to what a message quotes of it. */
export const excerpt = (line: string): string => shortened(line, LONGEST_EXCERPT);

const oneLine = (text: string): string => text.replace(/[\p{Cc}\s]+/gu, " ").trim();

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
  const isCut = secret.length > LONGEST_PATTERN;
  const begin = secret.slice(0, LONGEST_PATTERN).replace(/\p{Surrogate}$/u, "");
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
