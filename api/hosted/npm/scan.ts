import { NpmError } from "./errors.ts";

/** What is in a part of a body: the beginning of an attachment's content, bytes of it as text, its end. */
export type Piece = { kind: "begin"; file: string } | { kind: "bytes"; bytes: Buffer } | { kind: "end" };

type Frame = { object: boolean; key: string | null; expectsKey: boolean };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY, COMMA] = [0x7b, 0x7d, 0x5b, 0x5d, 0x2c];
const DEEPEST = 128;
const LONGEST_KEY = 1024;

export type Scanner = {
  /** What the next part of the body brings. */
  feed: (chunk: Buffer) => Piece[];
  /** All but the contents. */
  text: () => string;
};

type Scan = {
  maxText: number;
  frames: Frame[];
  text: Buffer[];
  size: number;
  /** Where in the body we are: between strings, in one that stays, in one that is a content. */
  state: "plain" | "string" | "content";
  /** A backslash came and what it escapes has not, or not all of it: the bytes so far. */
  escape: number[] | null;
  /** The string that stays is a name that matters: its bytes so far. */
  key: Buffer[] | null;
};

/** What a step found: where it ended in the chunk, and whether a content begins or ends there. */
type Step = { end: number; turn?: Piece };

/**
 * Reads the JSON of a publication as it comes and takes the attachments' contents (`_attachments.{file}.data`) out of
 * it, so that a tarball is never in memory. What is left, with "" in the contents' place, is small: `text` gives it to
 * be parsed once all has come, which is also what finds broken JSON.
 */
export function createScanner(maxText: number): Scanner {
  const scan: Scan = { maxText, frames: [], text: [], size: 0, state: "plain", escape: null, key: null };
  return {
    feed(chunk) {
      const pieces: Piece[] = [];
      /** Where what is kept begins in this chunk. */
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
        // The quote that ends a content stays.
        if (turn?.kind === "end") kept = end - 1;
        if (turn) pieces.push(turn);
        else if (state === "content") kept = end;
        at = end;
      }
      if (scan.state !== "content") keep(scan, chunk.subarray(kept));
      return joined(pieces);
    },
    text: () => Buffer.concat(scan.text).toString("utf8"),
  };
}

/** Whole stretches of the body, not words of it: there may be a million. */
function keep(scan: Scan, bytes: Buffer): void {
  scan.size += bytes.length;
  if (scan.size > scan.maxText) throw new NpmError(413, `the metadata have more than ${scan.maxText} bytes`);
  scan.text.push(bytes);
}

/** Whether the string that begins here is the data of an attachment. */
function isContent({ frames }: Scan): boolean {
  const [root, attachments, attachment] = frames;
  return (
    frames.length === 3 && root?.key === "_attachments" && attachments?.object === true && attachment?.key === "data"
  );
}

/** Whether a name here may lead to an attachment. */
const matters = ({ frames }: Scan): boolean =>
  frames.length === 1 || (frames.length <= 3 && frames[0]?.key === "_attachments");

function structure({ frames }: Scan, byte: number): void {
  const top = frames.at(-1);
  if (byte === COMMA && top) top.expectsKey = top.object;
  if (byte === OPEN_OBJECT || byte === OPEN_ARRAY)
    frames.push({ object: byte === OPEN_OBJECT, key: null, expectsKey: byte === OPEN_OBJECT });
  if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) frames.pop();
  if (frames.length > DEEPEST) throw new NpmError(400, `the metadata are nested more than ${DEEPEST} deep`);
}

/** Everything up to and with the next quote. */
function plain(scan: Scan, chunk: Buffer, from: number): Step {
  let at = from;
  for (; at < chunk.length && chunk[at] !== QUOTE; at += 1) structure(scan, chunk[at] ?? 0);
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
  const quote = endOf(chunk.indexOf(QUOTE, from), chunk);
  const backslash = endOf(chunk.subarray(0, quote).indexOf(BACKSLASH, from), chunk);
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

/** One byte of an escape; some encoders write `\/` and `\u002b` for base64's own letters. */
function escaped(scan: Scan, chunk: Buffer, at: number, pieces: Piece[]): Step {
  const bytes = [...(scan.escape ?? []), chunk[at] ?? 0];
  const whole = bytes.length === (bytes[0] === LETTER_U ? 5 : 1);
  scan.escape = whole ? null : bytes;
  if (whole) pieces.push({ kind: "bytes", bytes: Buffer.from(unquote(Buffer.from([BACKSLASH, ...bytes]))) });
  return { end: at + 1 };
}

const endOf = (at: number, chunk: Buffer): number => (at < 0 ? chunk.length : at);

function unquote(bytes: Buffer): string {
  try {
    return String(JSON.parse(`"${bytes.toString("utf8")}"`));
  } catch (error) {
    throw new NpmError(400, "the body is no JSON: a string has a wrong escape", { cause: error });
  }
}

/** Bytes that follow each other in one piece: escapes come in pieces of one byte. */
function joined(pieces: Piece[]): Piece[] {
  const whole: Piece[] = [];
  let run: Buffer[] = [];
  for (const piece of [...pieces, null]) {
    if (piece?.kind === "bytes") {
      run.push(piece.bytes);
      continue;
    }
    const [first] = run;
    if (first) whole.push({ kind: "bytes", bytes: run.length === 1 ? first : Buffer.concat(run) });
    run = [];
    if (piece) whole.push(piece);
  }
  return whole;
}
