/**
 * An item of a version as Maven parses it: a number, a qualifier, or a list, which begins at a hyphen or at a change
 * between digits and letters.
 */
type Item = bigint | string | Item[];

/** Known qualifiers, the oldest first; "" is the release. Unknown ones come after these, in alphabetical order. */
const QUALIFIERS = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const ALIASES: Record<string, string> = { ga: "", final: "", release: "", cr: "rc" };
/** Short forms of qualifiers; they count only if a digit follows. */
const SHORT: Record<string, string> = { a: "alpha", b: "beta", m: "milestone" };

/**
 * Compares versions in Maven's order (ComparableVersion; "Version Order Specification" in the POM
 * reference): negative when `a` is older. Versions that Maven considers equal are ordered by their text.
 */
export function compareMavenVersions(a: string, b: string): number {
  return compareLists(parse(a), parse(b)) || Number(a > b) - Number(a < b);
}

/** Sorts versions, the oldest first. */
export function sortMavenVersions(versions: readonly string[]): string[] {
  const parsed = versions.map((version) => ({ version, items: parse(version) }));
  parsed.sort(
    (a, b) =>
      compareLists(a.items, b.items) ||
      Number(a.version > b.version) - Number(a.version < b.version),
  );
  return parsed.map(({ version }) => version);
}

function parse(version: string): Item[] {
  const root: Item[] = [];
  const lists = [root];
  let list = root;
  const nest = () => {
    const inner: Item[] = [];
    list.push(inner);
    lists.push(inner);
    list = inner;
  };
  const tokens = version.toLowerCase().match(/\d+|[^\d.-]+|[.-]/g) ?? [];
  // Whether an item has been read since the last separator; if none has, the item is a 0.
  let open = false;
  for (const [i, token] of tokens.entries()) {
    if (token === "." || token === "-") {
      if (!open) list.push(0n);
      if (token === "-") nest();
      open = false;
      continue;
    }
    const next = tokens[i + 1];
    const joined = next !== undefined && next !== "." && next !== "-";
    const number = isNumber(token);
    // A qualifier begins a new list also after a dot: Maven reads `.x` as `-x` if a digit or nothing
    // follows.
    if (!number && list.length > 0 && (joined || next === undefined)) nest();
    list.push(number ? BigInt(token) : qualifier(token, joined));
    if (joined) nest();
    open = !joined;
  }
  for (const each of lists.reverse()) trim(each);
  return root;
}

const isNumber = (token: string) => /^\d/.test(token);

function qualifier(token: string, beforeDigit: boolean): string {
  const whole = beforeDigit ? (SHORT[token] ?? token) : token;
  return ALIASES[whole] ?? whole;
}

/**
 * Removes empty items (0, the release qualifier "", an empty list) at the end of a list or before an inner
 * list.
 */
function trim(list: Item[]): void {
  for (let i = list.length - 1; i >= 0; i--) {
    const item = list[i];
    if (item !== undefined && isNothing(item)) list.splice(i, 1);
    else if (!Array.isArray(item)) return;
  }
}

const isNothing = (item: Item): boolean =>
  item === 0n || item === "" || (Array.isArray(item) && item.length === 0);

function compareLists(a: Item[], b: Item[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const order = compareItems(a[i], b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

function compareItems(a: Item | undefined, b: Item | undefined): number {
  if (a === undefined) return b === undefined ? 0 : -compareItems(b, undefined);
  if (typeof a === "bigint") return compareNumber(a, b);
  if (typeof a === "string") return compareQualifier(a, b);
  if (Array.isArray(b)) return compareLists(a, b);
  if (b === undefined) return compareToNothing(a);
  // A list is older than a number (1-1 < 1.1) and newer than a qualifier (1-1 > 1.sp.1).
  return typeof b === "bigint" ? -1 : 1;
}

function compareToNothing(list: Item[]): number {
  for (const item of list) {
    const order = compareItems(item, undefined);
    if (order !== 0) return order;
  }
  return 0;
}

/** Compares a number with another item, a missing one as 0; numbers are newer than qualifiers and lists. */
function compareNumber(a: bigint, b: Item | undefined): number {
  if (b === undefined) return a === 0n ? 0 : 1;
  if (typeof b !== "bigint") return 1;
  return Number(a > b) - Number(a < b);
}

function compareQualifier(a: string, b: Item | undefined): number {
  if (b !== undefined && typeof b !== "string") return -1;
  const [left, right] = [rank(a), rank(b ?? "")];
  return Number(left > right) - Number(left < right);
}

/** Rank of a qualifier as text, because Maven compares ranks as texts. */
function rank(qualifier: string): string {
  const at = QUALIFIERS.indexOf(qualifier);
  return at < 0 ? `${QUALIFIERS.length}-${qualifier}` : String(at);
}
