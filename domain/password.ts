const SHORTEST = 12;
const LEAST_DIFFERENT = 6;
/** Beginnings and wholes of passwords that guessers try first, in lower case without digits and signs around. */
const KNOWN = [
  "password",
  "passwort",
  "admin",
  "administrator",
  "letmein",
  "welcome",
  "changeme",
  "changeit",
  "qwertyuiop",
  "qwerty",
  "abcdefghijkl",
  "correcthorsebatterystaple",
  "secret",
  "artifactory",
  "harbor",
  "nexus",
  "replication",
];

/**
 * Returns why a password is too easy to guess, and what is needed; null if it is good enough. Many guesses a second
 * are possible, so the length decides.
 */
export function weaknessOf(password: string, username: string): string | null {
  if ([...password].length < SHORTEST) return `it has fewer than ${SHORTEST} characters`;
  if (new Set(password).size < LEAST_DIFFERENT)
    return `it has fewer than ${LEAST_DIFFERENT} different characters`;
  const core = coreOf(password);
  if (core !== "" && core === coreOf(username))
    return "it is the user name with something around";
  if (KNOWN.includes(core) || /^(?:0?123456789\d*|987654321\d*)$/.test(password))
    return "it is one of those that are tried first";
  return null;
}

/** Removes digits and signs at the ends, and repetitions of the rest. */
function coreOf(password: string): string {
  const core = password
    .toLowerCase()
    .replace(/^[^\p{L}]+|[^\p{L}]+$/gu, "")
    .replaceAll(/[\s._-]+/g, "");
  return core.replace(/^(.+?)\1+$/u, "$1");
}
