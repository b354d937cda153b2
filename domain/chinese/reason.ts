import { setBounded } from "../bounded.ts";
import { CHECK_SAYINGS } from "./checks.ts";
import { CONNECTION_SAYINGS } from "./connections.ts";
import { CONNECTOR_SAYINGS } from "./connectors.ts";
import { PROBLEM_SAYINGS } from "./problems.ts";
import { RUN_SAYINGS } from "./runs.ts";
import type { Sayings } from "./sayings.ts";

type Piece = { hole: string } | { fixed: string };
type Saying = { pieces: readonly Piece[]; zh: string };

const HOLE = /(\{[^}]+\})/;
const DIGITS = /^\d+$/;
/** Where a sentence ends and another begins: a name does not reach beyond it. */
const JOINT = /[:;] /;
/** All sentences; where several fit, the first one counts. */
export const SAYINGS: Sayings = [
  ...RUN_SAYINGS,
  ...CHECK_SAYINGS,
  ...PROBLEM_SAYINGS,
  ...CONNECTOR_SAYINGS,
  ...CONNECTION_SAYINGS,
];
const COMPILED: readonly Saying[] = SAYINGS.map(([en, zh]) => ({
  pieces: en
    .split(HOLE)
    .filter((part) => part !== "")
    .map((part) => (HOLE.test(part) ? { hole: part } : { fixed: part })),
  zh,
}));

/** Maximum number of colons in a reason behind which a sentence is looked for. */
const MOST_COLONS = 8;
/** Maximum number of characters in all parts of a reason that are looked at; what is left is quoted. */
const MOST_CHARACTERS = 10_000;

/** A search in one reason; `seen`: what its parts are in Chinese, `left`: the characters that it may still look at. */
type Search = { seen: Map<string, string | null>; left: number };

/**
 * Says a stored reason in Chinese. What is not a sentence of this program, such as the words of a registry, follows
 * after 原文 as it is. The number of steps is bounded, because other servers write parts of a reason.
 */
export function chineseOf(reason: string): string {
  const before = remembered.get(reason);
  if (before !== undefined) return before;
  const said =
    known(reason, { seen: new Map(), left: MOST_CHARACTERS }) ?? `原文：${reason}`;
  if (reason.length > LONGEST_REMEMBERED) return said;
  setBounded(remembered, reason, said, MOST_REMEMBERED);
  return said;
}

/** The artifacts of a run often have the same reason. */
const remembered = new Map<string, string>();
const MOST_REMEMBERED = 500;
const LONGEST_REMEMBERED = 2_500;

function known(reason: string, search: Search): string | null {
  const before = search.seen.get(reason);
  if (before !== undefined) return before;
  // A reason within itself is not looked at twice.
  search.seen.set(reason, null);
  const said =
    whole(reason, search) ?? behindColon(reason, search) ?? parts(reason, search);
  search.seen.set(reason, said);
  return said;
}

function whole(reason: string, search: Search): string | null {
  search.left -= reason.length;
  if (search.left < 0) return null;
  for (const { pieces, zh } of COMPILED) {
    const holes = match(pieces, reason);
    if (holes !== null) return filled(zh, holes, search);
  }
  return null;
}

function filled(zh: string, holes: ReadonlyMap<string, string>, search: Search): string {
  return zh
    .split(HOLE)
    .map((part) => {
      const value = holes.get(part);
      if (value === undefined) return part;
      return part.includes("…") ? (known(value, search) ?? `原文：${value}`) : value;
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
    if (open !== null && !take(holes, open, text.slice(at, found))) return null;
    at = found + piece.fixed.length;
    open = null;
  }
  if (open === null) return at === text.length ? holes : null;
  return at < text.length && take(holes, open, text.slice(at)) ? holes : null;
}

function take(holes: Map<string, string>, hole: string, value: string): boolean {
  if (
    hole.endsWith("#}") ? !DIGITS.test(value) : !hole.includes("…") && JOINT.test(value)
  )
    return false;
  holes.set(hole, value);
  return true;
}

/** Says `name: sentence`, in which the name stays as it is. */
function behindColon(reason: string, search: Search): string | null {
  let at = -1;
  for (let i = 0; i < MOST_COLONS; i += 1) {
    at = reason.indexOf(": ", at + 1);
    if (at < 0) return null;
    const said = whole(reason.slice(at + 2), search);
    if (said !== null) return `${named(reason.slice(0, at))}：${said}`;
  }
  return null;
}

const KINDS: readonly (readonly [en: RegExp, zh: string])[] = [
  [/^registry (\S+)$/, "外部仓库 $1"],
  [/^instance (\S+)$/, "实例 $1"],
  [/^login to (\S+)$/, "登录 $1"],
  [/^login to (\S+) for (.+)$/, "登录 $1（$2）"],
  [/^tags of (\S+)$/, "$1 的标签"],
  [/^list of repositories of (\S+)$/, "$1 的镜像列表"],
  [/^list of packages$/, "包的列表"],
  [/^search for all packages$/, "搜索所有的包"],
  [/^image (\S+)$/, "镜像 $1"],
  [/^manifest (\S+)$/, "清单 $1"],
  [/^attachments of image (\S+)$/, "镜像 $1 的附件"],
  [/^attachments of manifest (\S+)$/, "清单 $1 的附件"],
  [/^manifest that does not exist of (\S+)$/, "$1 中不存在的清单"],
  [/^beginning of an upload to (\S+)$/, "开始上传到 $1"],
  [/^right to push to (\S+)$/, "推送到 $1 的权限"],
  [/^upload to (\S+)$/, "上传到 $1"],
  [/^blob (\S+) of (\S+)$/, "$2 的 blob $1"],
  [/^blob (\S+) of (\S+) of (\S+)$/, "$3 上 $2 的 blob $1"],
  [/^package (\S+)$/, "包 $1"],
  [/^tarball of (\S+)$/, "$1 的 tarball"],
  [/^dist-tag (\S+) of (\S+)$/, "$2 的 dist-tag $1"],
  [/^deprecation of (\S+)$/, "$1 的弃用标记"],
  [/^versions to (\S+)$/, "发往 $1 的版本"],
  [/^files to (\S+)$/, "发往 $1 的文件"],
  [/^repository (\S+)$/, "仓库 $1"],
];
function named(name: string): string {
  const kind = KINDS.find(([en]) => en.test(name));
  return kind ? name.replace(kind[0], kind[1]) : name;
}

/** Says several sentences that are joined by semicolons, if each of them is known. */
function parts(reason: string, search: Search): string | null {
  const sentences = reason.split("; ");
  if (sentences.length < 2 || sentences.length > MOST_COLONS) return null;
  const said = sentences.map((sentence) => known(sentence, search));
  return said.includes(null) ? null : said.join("；");
}
