const MOST_OF_A_VERSION = 256;
const NUMBER = "(?:0|[1-9]\\d*)";
const PRE = "(?:0|[1-9]\\d*|\\d*[a-z-][0-9a-z-]*)";
/** Versions by semver.org §2, 9 and 10. */
const VERSION = new RegExp(
  `^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PRE}(?:\\.${PRE})*))?(?:\\+([0-9a-z-]+(?:\\.[0-9a-z-]+)*))?$`,
  "i",
);

/** Whether the text is a whole version as npm publishes it: `1.2.3`, `1.2.3-beta.1`. */
export function isNpmVersion(text: string): boolean {
  return text.length <= MOST_OF_A_VERSION && VERSION.test(text);
}

/**
 * Returns the version without its build metadata, which does not identify a version (semver.org §10): clients take
 * `1.2.3+a` for `1.2.3`.
 */
export const withoutBuild = (version: string): string => version.split("+", 1)[0] ?? "";

/** Explains why `version` and `twin` cannot both exist, and what to do. */
export const sameButForBuild = (name: string, version: string, twin: string): string =>
  `${name}@${version} and ${name}@${twin} differ in their build metadata only, which npm ignores: ` +
  "publish it under a higher version";

/**
 * Compares by Semver's order (semver.org §11): negative when `a` is older. Texts that are not versions are
 * older than all versions. Two that are equal in this order are compared as texts.
 */
export function compareNpmVersions(a: string, b: string): number {
  const left = VERSION.exec(a);
  const right = VERSION.exec(b);
  if (left === null || right === null)
    return Number(left !== null) - Number(right !== null) || compareText(a, b);
  for (const part of [1, 2, 3]) {
    const order = compareNumbers(left[part] ?? "", right[part] ?? "");
    if (order !== 0) return order;
  }
  return (
    comparePrereleases(left[4], right[4]) || compareText(left[5] ?? "", right[5] ?? "")
  );
}

function comparePrereleases(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined)
    return Number(a === undefined) - Number(b === undefined);
  const left = a.split(".");
  const right = b.split(".");
  for (const [at, mine] of left.entries()) {
    const other = right[at];
    if (other === undefined) return 1;
    const order = compareIdentifiers(mine, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Compares identifiers of a prerelease: numbers are older than words. */
function compareIdentifiers(a: string, b: string): number {
  const [numeric, otherNumeric] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numeric && otherNumeric) return compareNumbers(a, b);
  return Number(otherNumeric) - Number(numeric) || compareText(a, b);
}

/** Compares digits without leading zeros, of any length. */
const compareNumbers = (a: string, b: string): number =>
  a.length - b.length || compareText(a, b);

const compareText = (a: string, b: string): number => Number(a > b) - Number(a < b);
