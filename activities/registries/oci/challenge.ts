/** One way to log in that a WWW-Authenticate header offers (RFC 9110 §11.6.1); names in lower case. */
export type Challenge = { scheme: string; parameters: ReadonlyMap<string, string> };

const PART = /[\s,]*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/y;

/** A header may hold several challenges; a word without `=` begins one. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  PART.lastIndex = 0;
  for (let match = PART.exec(header); match !== null; match = PART.exec(header)) {
    const [, word = "", quoted, plain] = match;
    const value = quoted?.replace(/\\(.)/g, "$1") ?? plain;
    if (value === undefined) challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(word.toLowerCase(), value);
  }
  return challenges;
}

/** Bearer before Basic; undefined when neither is offered. */
export function preferredChallenge(header: string | undefined): Challenge | undefined {
  const challenges = header === undefined ? [] : parseChallenges(header);
  return challenges.find(({ scheme }) => scheme === "bearer") ?? challenges.find(({ scheme }) => scheme === "basic");
}
