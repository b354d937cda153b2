import { CHECK_SAYINGS } from "./checks.ts";
import { PROBLEM_SAYINGS } from "./problems.ts";
import { SAYINGS } from "./sayings.ts";

type Piece = { hole: string } | { fixed: string };
type Saying = { pieces: readonly Piece[]; zh: string };

const HOLE = /(\{[^}]+\})/;
const COMPILED: readonly Saying[] = [
  ...SAYINGS,
  ...CHECK_SAYINGS,
  ...PROBLEM_SAYINGS,
].map(([en, zh]) => ({
  pieces: en
    .split(HOLE)
    .filter((part) => part !== "")
    .map((part) => (HOLE.test(part) ? { hole: part } : { fixed: part })),
  zh,
}));

/** Maximum number of colons in a reason behind which a sentence is looked for. */
const MOST_COLONS = 8;
/** Maximum number of parts of a reason that are looked at; more of them are quoted. */
const MOST_PARTS = 40;

/**
 * Says a stored reason in Chinese. What is not a sentence of this program, such as the words of a registry, follows
 * after 原文 as it is. The number of steps is bounded, because other servers write parts of a reason.
 */
export function chineseOf(reason: string): string {
  const before = remembered.get(reason);
  if (before !== undefined) return before;
  const said = known(reason, new Map()) ?? `原文：${reason}`;
  if (reason.length > LONGEST_REMEMBERED) return said;
  remembered.set(reason, said);
  const [oldest] = remembered.keys();
  if (remembered.size > MOST_REMEMBERED && oldest !== undefined)
    remembered.delete(oldest);
  return said;
}

/** The artifacts of a run often have the same reason. */
const remembered = new Map<string, string>();
const MOST_REMEMBERED = 500;
const LONGEST_REMEMBERED = 2_500;

function known(reason: string, seen: Map<string, string | null>): string | null {
  const before = seen.get(reason);
  if (before !== undefined) return before;
  if (seen.size >= MOST_PARTS) return null;
  // A reason within itself is not looked at twice.
  seen.set(reason, null);
  const said = whole(reason, seen) ?? behindColon(reason, seen) ?? parts(reason, seen);
  seen.set(reason, said);
  return said;
}

function whole(reason: string, seen: Map<string, string | null>): string | null {
  for (const { pieces, zh } of COMPILED) {
    const holes = match(pieces, reason);
    if (holes !== null) return filled(zh, holes, seen);
  }
  return null;
}

function filled(
  zh: string,
  holes: ReadonlyMap<string, string>,
  seen: Map<string, string | null>,
): string {
  return zh
    .split(HOLE)
    .map((part) => {
      const value = holes.get(part);
      if (value === undefined) return part;
      return part.includes("…") ? (known(value, seen) ?? `原文：${value}`) : value;
    })
    .join("");
}

/** Matches each fixed part at its first place, without ever going back; the last one at the end. */
function match(pieces: readonly Piece[], text: string): Map<string, string> | null {
  const holes = new Map<string, string>();
  let at = 0;
  let open: string | null = null;
  for (const [i, piece] of pieces.entries()) {
    if ("hole" in piece) {
      open = piece.hole;
      continue;
    }
    const isLast = i === pieces.length - 1;
    const found =
      open === null
        ? at
        : isLast
          ? Math.max(at + 1, text.length - piece.fixed.length)
          : text.indexOf(piece.fixed, at + 1);
    if (found < 0 || !text.startsWith(piece.fixed, found)) return null;
    if (isLast && found + piece.fixed.length !== text.length) return null;
    if (open !== null) holes.set(open, text.slice(at, found));
    at = found + piece.fixed.length;
    open = null;
  }
  if (open === null) return at === text.length ? holes : null;
  return at < text.length ? holes.set(open, text.slice(at)) : null;
}

/** Says `name: sentence`, in which the name stays as it is. */
function behindColon(reason: string, seen: Map<string, string | null>): string | null {
  let at = -1;
  for (let i = 0; i < MOST_COLONS; i += 1) {
    at = reason.indexOf(": ", at + 1);
    if (at < 0) return null;
    const said = whole(reason.slice(at + 2), seen);
    if (said !== null) return `${named(reason.slice(0, at))}：${said}`;
  }
  return null;
}

const KINDS: readonly (readonly [en: RegExp, zh: string])[] = [
  [/^registry (\S+)$/, "外部仓库 $1"],
  [/^instance (\S+)$/, "实例 $1"],
  [/^login to (\S+)$/, "登录 $1"],
  [/^tags of (\S+)$/, "$1 的标签"],
];
function named(name: string): string {
  const kind = KINDS.find(([en]) => en.test(name));
  return kind ? name.replace(kind[0], kind[1]) : name;
}

/** Says several sentences that are joined by semicolons, if each of them is known. */
function parts(reason: string, seen: Map<string, string | null>): string | null {
  const sentences = reason.split("; ");
  if (sentences.length < 2 || sentences.length > MOST_COLONS) return null;
  const said = sentences.map((sentence) => known(sentence, seen));
  return said.includes(null) ? null : said.join("；");
}
