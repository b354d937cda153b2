import { NOT_JSON, parseJson } from "./json.ts";
import { type Limits, OverLimit } from "./limits.ts";

/** How many bytes are scanned before other work gets its turn. */
const STEP = 1024 * 1024;
const [SPACE, TAB, NEWLINE, RETURN] = [0x20, 0x09, 0x0a, 0x0d];
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];
const [COMMA, COLON] = [0x2c, 0x3a];

/**
 * The members of a field (those of an array by their index), each kept as its bytes until it is asked for: a document
 * of thousands of members is never whole in memory as objects.
 */
export type Members = {
  keys: () => Iterable<string>;
  has: (key: string) => boolean;
  /** Parses a member; undefined without it, and for one that is not valid JSON. Throws OverLimit. */
  get: (key: string) => unknown;
  /** Returns the document with another value for one member. */
  with: (key: string, json: string) => Buffer;
};

/** `rest`: the object with the field empty; NOT_JSON when it is not valid. */
export type Sliced = { rest: unknown; members: Members };

/**
 * The limits of the document without the members, and of one member; `most`: how many members there may be. `pause`
 * lets other work have its turn.
 */
type Slicing = {
  field: string;
  rest: Limits;
  member: Limits;
  most: number;
  pause: () => Promise<unknown>;
};

/** A range of bytes, from its first to the one after its last. */
type Range = { from: number; to: number };

/**
 * Parses a JSON object without the members of one of its fields, which must be an object or an array to have members.
 * Throws OverLimit.
 */
export async function sliceJson(document: Buffer, slicing: Slicing): Promise<Sliced> {
  const scan = startOf(document, slicing);
  try {
    for (let at = 0; at < document.length; at += STEP) {
      scanTo(scan, Math.min(at + STEP, document.length));
      await slicing.pause();
    }
    if (scan.depth !== 0) throw new Malformed();
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { rest: NOT_JSON, members: membersOf(document, new Map(), slicing.member) };
  }
  const rest = Buffer.concat([
    document.subarray(0, scan.cut.from),
    document.subarray(scan.cut.to),
  ]);
  return {
    rest: parseJson(rest, slicing.rest),
    members: membersOf(document, scan.members, slicing.member),
  };
}

/** The document is not valid JSON. */
class Malformed extends Error {
  override readonly name = "Malformed";
}

function membersOf(
  document: Buffer,
  ranges: ReadonlyMap<string, Range>,
  limits: Limits,
): Members {
  return {
    keys: () => ranges.keys(),
    has: (key) => ranges.has(key),
    get(key) {
      const range = ranges.get(key);
      return range && parseJson(document.subarray(range.from, range.to), limits);
    },
    with(key, json) {
      const { from, to } = ranges.get(key) ?? { from: 0, to: 0 };
      return Buffer.concat([
        document.subarray(0, from),
        Buffer.from(json),
        document.subarray(to),
      ]);
    },
  };
}

/**
 * An object or a list that is walked through. `next`: what must come next in it; `first`: it has just been opened, so
 * that its end may come, too; `end`: a value has begun, so that a comma or its end must come.
 */
type Level = { isObject: boolean; next: "first" | "key" | "colon" | "value" | "end" };

type Scan = {
  document: Buffer;
  slicing: Slicing;
  members: Map<string, Range>;
  /** What lies between the braces of the field. */
  cut: Range;
  deepest: number;
  depth: number;
  position: number;
  /** Values and names outside of the field, as the meter counts them. */
  tokens: number;
  /** Members of all fields with the name; each counts, even if its key repeats. */
  seen: number;
  /** The string that is being read, or was read last. */
  string: Range;
  isInString: boolean;
  root: Level | null;
  /** Whether the last key of the root is that of the field. */
  isField: boolean;
  /** The field; null outside of it. */
  inner: Level | null;
  key: string;
  valueFrom: number;
};

const startOf = (document: Buffer, slicing: Slicing): Scan => ({
  document,
  slicing,
  members: new Map(),
  cut: { from: 0, to: 0 },
  deepest: Math.max(slicing.member.depth + 2, slicing.rest.depth),
  depth: 0,
  position: 0,
  tokens: 1,
  seen: 0,
  string: { from: 0, to: 0 },
  isInString: false,
  root: null,
  isField: false,
  inner: null,
  key: "",
  valueFrom: 0,
});

/**
 * Finds the ranges of the members up to a position. The grammar of the root and of the field is followed, so each key
 * is decoded once; throws Malformed for what has no place there. What lies deeper is left to the parser.
 */
function scanTo(scan: Scan, to: number): void {
  while (scan.position < to) {
    if (scan.isInString) readString(scan, to);
    else {
      const at = scan.position;
      scan.position = at + 1;
      readByte(scan, at, scan.document[at] ?? 0);
    }
  }
  const { tokens } = scan.slicing.rest;
  if (scan.tokens > tokens) throw new OverLimit("tokens", tokens);
}

function readByte(scan: Scan, at: number, byte: number): void {
  if (byte === QUOTE) {
    begin(levelOf(scan), true);
    scan.isInString = true;
    scan.string = { from: at, to: at };
  } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
    count(scan);
    open(scan, at, byte === OPEN_OBJECT);
  } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) close(scan, at);
  else if (byte === COMMA) {
    count(scan);
    comma(scan, at);
  } else if (byte === COLON) {
    count(scan);
    colon(scan, at);
  } else if (scan.depth <= 2 && !isBlank(byte)) {
    const level = levelOf(scan);
    if (level?.next !== "end") begin(level, false);
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;
}

function count(scan: Scan): void {
  if (scan.inner === null) scan.tokens += 1;
}

/** Reads a string up to a position; a backslash in front of it takes the byte after it along. */
function readString(scan: Scan, to: number): void {
  let at = scan.position;
  for (; at < to && scan.isInString; at += 1) {
    const byte = scan.document[at];
    if (byte === BACKSLASH) at += 1;
    else if (byte === QUOTE) scan.isInString = false;
  }
  scan.position = at;
  scan.string.to = at;
}

function levelOf({ depth, root, inner }: Scan): Level | null {
  if (depth === 1) return root;
  return depth === 2 ? inner : null;
}

/** A value begins here, or a string that may be a key. */
function begin(level: Level | null, isString: boolean): void {
  if (level === null) return;
  const { isObject, next } = level;
  if (isObject && isString && (next === "first" || next === "key")) level.next = "colon";
  else if (next === "value" || (next === "first" && !isObject)) level.next = "end";
  else throw new Malformed();
}

function open(scan: Scan, at: number, isObject: boolean): void {
  begin(levelOf(scan), false);
  scan.depth += 1;
  if (scan.depth > scan.deepest) throw new OverLimit("depth", scan.deepest);
  if (scan.depth === 1) scan.root = { isObject, next: "first" };
  if (scan.depth !== 2 || !scan.isField) return;
  // Of two fields with one name, the last counts, as with any parser.
  scan.members.clear();
  scan.inner = { isObject, next: "first" };
  scan.cut.from = at + 1;
  scan.valueFrom = at + 1;
}

function close(scan: Scan, at: number): void {
  const level = levelOf(scan);
  if (level?.next === "end") closeMember(scan, at);
  else if (level !== null && level.next !== "first") throw new Malformed();
  if (scan.depth === 2 && scan.inner !== null) {
    scan.inner = null;
    scan.cut.to = at;
  }
  scan.depth -= 1;
}

function comma(scan: Scan, at: number): void {
  const level = levelOf(scan);
  if (level === null) return;
  if (level.next !== "end") throw new Malformed();
  closeMember(scan, at);
  level.next = level.isObject ? "key" : "value";
}

function colon(scan: Scan, at: number): void {
  const level = levelOf(scan);
  if (level === null) return;
  if (level.next !== "colon") throw new Malformed();
  level.next = "value";
  const { document, string } = scan;
  if (level === scan.root) scan.isField = isField(scan);
  else scan.key = textOf(document, string);
  scan.valueFrom = at + 1;
}

function isField({ document, string, slicing: { field } }: Scan): boolean {
  // No text is longer than its JSON.
  const mayBe = string.to - string.from >= Buffer.byteLength(field) + 2;
  return mayBe && textOf(document, string) === field;
}

function closeMember(scan: Scan, at: number): void {
  const { inner, members, slicing, key, valueFrom } = scan;
  if (inner === null) return;
  scan.seen += 1;
  if (scan.seen > slicing.most) throw new OverLimit("members", slicing.most);
  members.set(inner.isObject ? key : String(members.size), { from: valueFrom, to: at });
  scan.valueFrom = at + 1;
}

const KEY: Limits = { bytes: 4096, tokens: 1, depth: 0 };

function textOf(document: Buffer, { from, to }: Range): string {
  const value = parseJson(document.subarray(from, to), KEY);
  return typeof value === "string" ? value : "";
}
