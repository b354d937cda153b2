/** One login method of WWW-Authenticate (RFC 9110 §11.6.1); names in lower case. */
export type Challenge = { scheme: string; parameters: ReadonlyMap<string, string> };

/**
 * Matches one item of a WWW-Authenticate header: a parameter with its value, a word (a scheme, or the token68
 * after a scheme), or a stray character that is skipped.
 */
const PART =
  /[\s,]*(?:([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"=]+))|([^\s,"=]+)(=*)|[="])/y;

/**
 * Parses a WWW-Authenticate header; all fields of that name form one list of challenges. A word without a value
 * begins a challenge; after other parameters, `word=` is a parameter with an empty value.
 */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  PART.lastIndex = 0;
  for (let match = PART.exec(header); match !== null; match = PART.exec(header)) {
    const [, name = "", quoted, plain, word = "", padding = ""] = match;
    const last = challenges.at(-1);
    if (name !== "")
      last?.parameters.set(
        name.toLowerCase(),
        quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "",
      );
    else if (padding === "=" && last && last.parameters.size > 0)
      last.parameters.set(word.toLowerCase(), "");
    else if (word !== "")
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
  }
  return challenges;
}

/**
 * Selects the Bearer challenge that has a realm, else Basic, else a Bearer challenge without a realm, in
 * whatever order the server lists them; undefined when it offers neither.
 */
export function preferredChallenge(header: string | undefined): Challenge | undefined {
  const challenges = header === undefined ? [] : parseChallenges(header);
  const bearers = challenges.filter(({ scheme }) => scheme === "bearer");
  const usable = bearers.find(({ parameters }) => parameters.has("realm"));
  return usable ?? challenges.find(({ scheme }) => scheme === "basic") ?? bearers[0];
}
