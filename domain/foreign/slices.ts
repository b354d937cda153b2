import { parseJson } from "./json.ts";
import { type Limits, OverLimit } from "./limits.ts";

/** How many bytes are scanned before other work gets its turn. */
const STEP = 1024 * 1024;
const SPACE = 0x20;
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
  const scan = createScan(document, slicing);
  for (let at = 0; at < document.length; at += STEP) {
    scan.run(Math.min(at + STEP, document.length));
    await slicing.pause();
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

/** Finds the ranges of the members; `cut`: what lies between the braces of the field. */
function createScan(document: Buffer, { field, member, rest, most }: Slicing) {
  const members = new Map<string, Range>();
  const cut: Range = { from: 0, to: 0 };
  const deepest = Math.max(member.depth + 2, rest.depth);
  let depth = 0;
  let position = 0;
  /** The string that is being read, or was read last. */
  let string: Range = { from: -1, to: -1 };
  let rootKey = "";
  let isIn: "object" | "array" | null = null;
  let key: string | null = null;
  let valueFrom = 0;

  function closeMember(at: number): void {
    if (isIn === null || depth !== 2) return;
    if (isIn === "array" && !isBlank(document, valueFrom, at)) key = String(members.size);
    if (key !== null) members.set(key, { from: valueFrom, to: at });
    if (members.size > most) throw new OverLimit("members", most);
    key = null;
    valueFrom = at + 1;
  }

  function open(at: number, byte: number): void {
    depth += 1;
    if (depth > deepest) throw new OverLimit("depth", deepest);
    if (depth !== 2 || rootKey !== field) return;
    // Of two fields with one name, the last counts, as with any parser.
    members.clear();
    isIn = byte === OPEN_OBJECT ? "object" : "array";
    cut.from = at + 1;
    valueFrom = at + 1;
  }

  function close(at: number): void {
    closeMember(at);
    if (depth === 2 && isIn !== null) {
      isIn = null;
      cut.to = at;
    }
    depth -= 1;
  }

  function name(at: number): void {
    if (depth === 1) rootKey = textOf(document, string);
    if (depth !== 2 || isIn !== "object") return;
    key = textOf(document, string);
    valueFrom = at + 1;
  }

  return {
    members,
    cut,
    run(to: number): void {
      while (position < to) {
        const at = position;
        const byte = document[at] ?? 0;
        position = at + 1;
        if (byte === QUOTE) {
          position = endOfString(document, at + 1);
          string = { from: at, to: position };
        } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) open(at, byte);
        else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) close(at);
        else if (byte === COMMA) closeMember(at);
        else if (byte === COLON) name(at);
      }
    },
  };
}

function isBlank(document: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if ((document[at] ?? 0) > SPACE) return false;
  return true;
}

/** Returns the position after the quote that ends a string, or the end of the document. */
function endOfString(document: Buffer, from: number): number {
  for (let at = from; at < document.length; at += 1) {
    const byte = document[at];
    if (byte === BACKSLASH) at += 1;
    else if (byte === QUOTE) return at + 1;
  }
  return document.length;
}

const KEY: Limits = { bytes: 4096, tokens: 1, depth: 0 };

function textOf(document: Buffer, { from, to }: Range): string {
  const value = parseJson(document.subarray(from, to), KEY);
  return typeof value === "string" ? value : "";
}
