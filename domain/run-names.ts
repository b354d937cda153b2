/**
 * Maximum length of a name in a workflow id. With keys, a time and three names, an id stays below the 255
 * characters that Temporal's SQL databases keep.
 */
const LONGEST = 60;

export type NamedTask = { key: string; name: string };

/** Returns the beginning of the workflow ids of a task's runs. */
export const runBase = ({ key, name }: NamedTask) => `repl/${safeName(name)}/${key}`;

/**
 * Returns a name as part of a workflow id, at most LONGEST characters long: letters and digits of every
 * script, blanks and ._+@()- stay, and every other character becomes `_`. An empty name becomes `_`.
 */
export function safeName(name: string): string {
  const seen = name
    .normalize("NFC")
    .replace(/[^\p{L}\p{M}\p{N} ._+@()-]/gu, "_")
    .trim();
  return cut(seen, LONGEST) || "_";
}

/**
 * Returns several names as parts of workflow ids, no two of them equal: those that would be equal get their
 * place in the list, from 1, after a `~`.
 */
export function distinctNames(names: readonly string[]): string[] {
  const times = new Map<string, number>();
  const safe = names.map((name) => safeName(name));
  for (const name of safe) times.set(name, (times.get(name) ?? 0) + 1);
  return safe.map((name, at) => {
    const number = `~${at + 1}`;
    return times.get(name) === 1 ? name : cut(name, LONGEST - number.length) + number;
  });
}

/** Returns at most the first `longest` characters of a text, and never half of a surrogate pair. */
export function cut(text: string, longest: number): string {
  return text.length <= longest ? text : Array.from(text).slice(0, longest).join("");
}
