import { expect, test, vi } from "vitest";
import { createScanner } from "../../../api/hosted/npm/scan.ts";

/** Reads a body in chunks; returns the JSON that is kept, and the contents of attachments by their file. */
function read(chunks: Iterable<Buffer>): [string, [string, string][]] {
  const scanner = createScanner(1024 * 1024);
  const contents: [string, string][] = [];
  for (const chunk of chunks)
    for (const piece of scanner.feed(chunk)) {
      const last = contents.at(-1);
      if (piece.kind === "begin") contents.push([piece.file, ""]);
      if (piece.kind === "bytes" && last) last[1] += piece.bytes.toString();
    }
  return [scanner.text().toString(), contents];
}

function* cut(text: string, length: number): Generator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

const BODIES = [
  '{"_attachments":{"x":{"data":"QUJD"}}}',
  '{"_attachments":{"x":{"data":""},"y":{"length":3,"data":"QQ=="}},"z":[]}',
  String.raw`{"_attachments":{"x":{"data":"\/\/\u002b\"\\\b\f\n\r\t\u00e9\/"}}}`,
  String.raw`{"\u005fattachments":{"\"x\\":{"\u0064ata":"a\/b"}}}`,
  '{"_attachments":{"x":{"data":["QUJD"],"other":"data"},"data":"z"},"data":"q"}',
  '{"_attachments":[{"x":{"data":"a"}}],"a":{"_attachments":{"x":{"data":"kept"}}}}',
  '{"a":"_attachments","b":{"":"::,,{}[]"},"_attachments":{"__proto__":{"data":"b"}}}',
  String.raw`{"\\":"\\","\"":"\"","_attachments":{":":{"data":":"}}}`,
];

test.each(BODIES)(
  "the contents and the rest of a body are what a parser finds: %s",
  (text) => {
    const parsed = JSON.parse(text) as {
      _attachments: Record<string, { data?: unknown }>;
    };
    const expected: [string, unknown][] = [];
    if (!Array.isArray(parsed._attachments))
      for (const [file, attachment] of Object.entries(parsed._attachments))
        if (typeof attachment.data === "string") {
          expected.push([file, attachment.data]);
          attachment.data = "";
        }
    for (let length = 1; length <= text.length; length += 1) {
      const [kept, contents] = read(cut(text, length));
      expect(JSON.parse(kept)).toEqual(parsed);
      expect(contents).toEqual(expected);
    }
  },
);

test.each([String.raw`\x`, String.raw`\u00g0`, String.raw`\u 123`, String.raw`\u+123`])(
  "the content of an attachment with the escape %s is not JSON",
  (escape) => {
    for (const length of [1, 2, 100])
      expect(() =>
        read(cut(`{"_attachments":{"x":{"data":"${escape}"}}}`, length)),
      ).toThrow("a string has a wrong escape");
  },
);

const CHUNK = 64 * 1024;
const HEAD = '{"_attachments":{"x":{"data":"';

test.each([
  [HEAD, String.raw`\/`],
  [HEAD, String.raw`\u002b`],
  [HEAD, String.raw`\"`],
  [HEAD, "AAAAAAAA\\/"],
  ['{"_attachments":{', '"x":{"data":""},'],
  ['{"_attachments":{', String.raw`"x":{"data":"\/"},`],
  ["{", '"":,'],
  ["{", ":,"],
  ["{", '"a":1,'],
])(
  "a chunk of %s and then %s, often, is searched once, and decoded once at most",
  (head, often) => {
    const scanner = createScanner(1024 * 1024);
    scanner.feed(Buffer.from(head));
    const chunk = Buffer.from(often.repeat(Math.floor(CHUNK / often.length)));
    const { indexOf } = Buffer.prototype;
    let searched = 0;
    const search = vi.spyOn(Buffer.prototype, "indexOf").mockImplementation(function (
      this: Buffer,
      ...args: Parameters<Buffer["indexOf"]>
    ) {
      const found = indexOf.apply(this, args);
      searched += (found < 0 ? this.length : found + 1) - Number(args[1] ?? 0);
      return found;
    } as () => unknown);
    const parse = vi.spyOn(JSON, "parse");
    try {
      scanner.feed(chunk);
      expect(searched).toBeLessThanOrEqual(2 * chunk.length);
      const decoded = parse.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
      expect(decoded).toBeLessThanOrEqual(chunk.length);
    } finally {
      search.mockRestore();
      parse.mockRestore();
    }
  },
);
