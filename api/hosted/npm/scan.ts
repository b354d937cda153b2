import { parseJson } from "../../../domain/foreign/json.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { NpmError } from "./errors.ts";

/** A part of a body: the beginning of an attachment's content, bytes of its text, or its end. */
export type Piece =
  { kind: "begin"; file: string } | { kind: "bytes"; bytes: Buffer } | { kind: "end" };

type Frame = { object: boolean; key: string | null; expectsKey: boolean };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA] = [
  0x7b, 0x7d, 0x5b, 0x5d, 0x2c,
];
/** The letters of escape sequences with what they mean (RFC 8259 §7); one of another form has four hex digits. */
const LETTERS = new Map(
  Object.entries({
    "/": "/",
    "\\": "\\",
    '"': '"',
    b: "\b",
    f: "\f",
    n: "\n",
    r: "\r",
    t: "\t",
  }).map(([letter, means]): [number, Piece] => [
    letter.charCodeAt(0),
    { kind: "bytes", bytes: Buffer.from(means) },
  ]),
);
const CODE = /^u[0-9a-fA-F]{4}$/;
const NOT_SEARCHED = { quote: -1, backslash: -1 };
const DEEPEST = LIMITS.packument.depth;
const LONGEST_KEY = 1024;

export type Scanner = {
  /** Reads the next chunk of the body and returns the parts of attachments in it. */
  feed: (chunk: Buffer) => Piece[];
  /** Returns the JSON without the contents of attachments. */
  text: () => Buffer;
};

type Scan = {
  maxText: number;
  frames: Frame[];
  text: Buffer[];
  size: number;
  /**
   * Position in the body: outside of strings, in a string that is kept, or in one that is an
   * attachment's content.
   */
  state: "plain" | "string" | "content";
  /**
   * In an attachment's content: the bytes read so far of an unfinished escape sequence, after its
   * backslash. In any other string: [] right after a backslash. Otherwise null.
   */
  escape: number[] | null;
  /** The bytes read so far of a JSON key that may lead to an attachment; null outside of one. */
  key: Buffer[] | null;
  /** Positions in the chunk of the next quote and backslash, once searched: each search goes on behind the last. */
  next: { quote: number; backslash: number };
};

/**
 * The result of a step: the position in the chunk after it, and whether a content begins or ends
 * there.
 */
type Step = { end: number; turn?: Piece };

/**
 * Reads the JSON of a publication as it arrives and takes the contents of attachments
 * (`_attachments.{file}.data`) out of it, so that a tarball is never whole in memory. The rest,
 * with "" instead of the contents, is small: `text` returns it to be parsed at the end, which also
 * finds broken JSON.
 */
export function createScanner(maxText: number): Scanner {
  const scan: Scan = {
    maxText,
    frames: [],
    text: [],
    size: 0,
    state: "plain",
    escape: null,
    key: null,
    next: NOT_SEARCHED,
  };
  return {
    feed(chunk) {
      scan.next = { ...NOT_SEARCHED };
      const pieces: Piece[] = [];
      /** Position in this chunk of the first byte that is still to be kept. */
      let kept = 0;
      for (let at = 0; at < chunk.length;) {
        const { state } = scan;
        const { end, turn } =
          state === "content"
            ? content(scan, chunk, at, pieces)
            : state === "plain"
              ? plain(scan, chunk, at)
              : string(scan, chunk, at);
        if (turn?.kind === "begin") keep(scan, chunk.subarray(kept, end));
        // The quote that ends an attachment's content is kept.
        if (turn?.kind === "end") kept = end - 1;
        if (turn) pieces.push(turn);
        else if (state === "content") kept = end;
        at = end;
      }
      if (scan.state !== "content") keep(scan, chunk.subarray(kept));
      return joined(pieces);
    },
    text: () => Buffer.concat(scan.text),
  };
}

/**
 * Appends bytes of the body to the kept text; throws 413 if the text becomes longer than `maxText`.
 * Callers pass long ranges, not single JSON tokens: a body may have a million of them.
 */
function keep(scan: Scan, bytes: Buffer): void {
  scan.size += bytes.length;
  if (scan.size > scan.maxText)
    throw new NpmError(
      413,
      `the metadata has more than ${scan.maxText} bytes, the most that is accepted: shorten it`,
    );
  scan.text.push(bytes);
}

/** Whether the string that begins here is the data of an attachment. */
function isContent({ frames }: Scan): boolean {
  const [root, attachments, attachment] = frames;
  return (
    frames.length === 3 &&
    root?.key === "_attachments" &&
    attachments?.object === true &&
    attachment?.key === "data"
  );
}

/** Whether a JSON key at this position may lead to the data of an attachment. */
const matters = ({ frames }: Scan): boolean =>
  frames.length === 1 || (frames.length <= 3 && frames[0]?.key === "_attachments");

function structure({ frames }: Scan, byte: number): void {
  const top = frames.at(-1);
  if (byte === COMMA && top) top.expectsKey = top.object;
  if (byte === OPEN_OBJECT || byte === OPEN_ARRAY)
    frames.push({
      object: byte === OPEN_OBJECT,
      key: null,
      expectsKey: byte === OPEN_OBJECT,
    });
  if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) frames.pop();
  if (frames.length > DEEPEST)
    throw new NpmError(400, `the metadata is nested more than ${DEEPEST} levels deep`);
}

/**
 * Reads the part of a chunk that is outside of strings: up to and including the next quote, else to
 * the end.
 */
function plain(scan: Scan, chunk: Buffer, from: number): Step {
  let at = from;
  for (; at < chunk.length && chunk[at] !== QUOTE; at += 1)
    structure(scan, chunk[at] ?? 0);
  if (at === chunk.length) return { end: at };
  const top = scan.frames.at(-1);
  const named = top?.expectsKey === true;
  if (named) {
    top.expectsKey = false;
    scan.key = matters(scan) ? [] : null;
  }
  scan.state = !named && isContent(scan) ? "content" : "string";
  return scan.state === "content"
    ? { end: at + 1, turn: { kind: "begin", file: scan.frames[1]?.key ?? "" } }
    : { end: at + 1 };
}

function string(scan: Scan, chunk: Buffer, from: number): Step {
  let at = from;
  for (; at < chunk.length; at += 1) {
    if (scan.escape !== null) scan.escape = null;
    else if (chunk[at] === BACKSLASH) scan.escape = [];
    else if (chunk[at] === QUOTE) break;
  }
  scan.key?.push(chunk.subarray(from, at));
  if (at === chunk.length) return { end: at };
  closeString(scan);
  return { end: at + 1 };
}

function closeString(scan: Scan): void {
  scan.state = "plain";
  const top = scan.frames.at(-1);
  if (scan.key === null || top === undefined) return;
  const bytes = Buffer.concat(scan.key);
  scan.key = null;
  top.key = bytes.length <= LONGEST_KEY ? unquote(bytes) : null;
}

function content(scan: Scan, chunk: Buffer, from: number, pieces: Piece[]): Step {
  if (scan.escape !== null) return escaped(scan, chunk, from, pieces);
  const { next } = scan;
  if (next.quote < from) next.quote = endOf(chunk.indexOf(QUOTE, from), chunk);
  if (next.backslash < from)
    next.backslash = endOf(chunk.indexOf(BACKSLASH, from), chunk);
  const { quote, backslash } = next;
  const end = Math.min(quote, backslash);
  if (end > from) pieces.push({ kind: "bytes", bytes: chunk.subarray(from, end) });
  if (end === chunk.length) return { end };
  if (backslash < quote) {
    scan.escape = [];
    return { end: end + 1 };
  }
  scan.state = "plain";
  return { end: end + 1, turn: { kind: "end" } };
}

/**
 * Reads one byte of an escape sequence in an attachment's content; some encoders write `\/` and
 * `\u002b` for letters of base64.
 */
function escaped(scan: Scan, chunk: Buffer, at: number, pieces: Piece[]): Step {
  const bytes = scan.escape ?? [];
  bytes.push(chunk[at] ?? 0);
  const whole = bytes.length === (bytes[0] === LETTER_U ? 5 : 1);
  scan.escape = whole ? null : bytes;
  if (whole) pieces.push(unescaped(bytes));
  return { end: at + 1 };
}

/** Decodes an escape sequence without its backslash: one letter of few, or "u" and four hex digits. */
function unescaped(bytes: number[]): Piece {
  const letter = LETTERS.get(bytes[0] ?? 0);
  if (letter !== undefined) return letter;
  const text = String.fromCharCode(...bytes);
  if (!CODE.test(text)) throw wrongEscape();
  const code = Number.parseInt(text.slice(1), 16);
  return { kind: "bytes", bytes: Buffer.from(String.fromCharCode(code)) };
}

const endOf = (at: number, chunk: Buffer): number => (at < 0 ? chunk.length : at);

function unquote(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  if (!bytes.includes(BACKSLASH)) return text;
  const value = parseJson(`"${text}"`, LIMITS.facts);
  if (typeof value === "string") return value;
  throw wrongEscape();
}

const wrongEscape = () =>
  new NpmError(400, "the body is not valid JSON: a string has a wrong escape");

/**
 * Joins consecutive bytes into one piece, because each escape sequence yields a piece of one byte.
 */
function joined(pieces: Piece[]): Piece[] {
  const whole: Piece[] = [];
  let run: Buffer[] = [];
  for (const piece of [...pieces, null]) {
    if (piece?.kind === "bytes") {
      run.push(piece.bytes);
      continue;
    }
    const [first] = run;
    if (first)
      whole.push({ kind: "bytes", bytes: run.length === 1 ? first : Buffer.concat(run) });
    run = [];
    if (piece) whole.push(piece);
  }
  return whole;
}
