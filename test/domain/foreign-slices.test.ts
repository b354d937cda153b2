import { expect, test, vi } from "vitest";
import type { Limits } from "../../domain/foreign/limits.ts";
import { sliceJson } from "../../domain/foreign/slices.ts";
import { record } from "../../domain/json.ts";

const MIB = 1024 * 1024;
const LIMITS: Limits = { bytes: 64 * MIB, tokens: 300_000, depth: 64 };

/** Slices a document by its field `versions`; `pauses`: how often other work got its turn. */
async function sliced(text: string, most = 100_000) {
  let pauses = 0;
  const { rest, members } = await sliceJson(Buffer.from(text), {
    field: "versions",
    rest: LIMITS,
    member: LIMITS,
    most,
    pause: async () => (pauses += 1),
  });
  const entries = [...members.keys()].map((key) => [key, members.get(key)]);
  return { rest, entries, pauses };
}

/** Puts a sliced document together again. */
async function whole(text: string): Promise<unknown> {
  const { rest, entries } = await sliced(text);
  const { versions } = record(rest);
  if (versions === null || typeof versions !== "object") return rest;
  const members = Array.isArray(versions)
    ? entries.map(([, value]) => value)
    : Object.fromEntries(entries);
  return { ...record(rest), versions: members };
}

const LONG = "k".repeat(4_000);
const VALID = [
  "{}",
  " [ ] ",
  "1",
  '"{:,"',
  "[1,[2],{}]",
  '{"versions":{}}',
  '{"versions":[]}',
  '{"versions":null,"a":[{"versions":{"b":1}}]}',
  '{ "versions" : { "a" : 1 , "b" : [ ] , "c" : { "d" : "e" } } , "f" : true }',
  '{"versions":[1,"a,b",[2,3],{"c":[]}, null ],"tail":"]}"}',
  '{"versions":{"a":1,"b":2,"a":3}}',
  '{"versions":{"a":1},"versions":[4,5]}',
  '{"versions":{"a":1},"versions":{"b":2},"versions":7}',
  String.raw`{"\u0076ersions":{"\u0061\"":"\\","b\\":"\\\"","":""}}`,
  `{"${LONG}":1,"versions":{"${LONG}":{"${LONG}":":,"}}}`,
  '{"versions":{"__proto__":{"a":1},"constructor":2}}',
  '{"a":{"b":[{"c":":::,,,"}]},"":{"":{"":[[[]]]}}}',
];

test.each(VALID)("the sliced document is what a parser makes of it: %s", async (text) => {
  expect(await whole(text)).toEqual(JSON.parse(text));
});

test("a document is read alike wherever the scan pauses in it", async () => {
  const tail = String.raw`","versions":{"a\\\"":"\u0061\\","b":["\"",{}]},"z":"\\"}`;
  for (let before = 0; before <= tail.length; before += 1) {
    const text = `{"pad":"${"x".repeat(MIB - 8 - before)}${tail}`;
    expect(await whole(text)).toEqual(JSON.parse(text));
  }
});

const INVALID = [
  `{"${LONG}"${":".repeat(2 * MIB)}`,
  `{"versions":{"${LONG}"${":".repeat(2 * MIB)}`,
  `{"a"::1,"b":"${"x".repeat(2 * MIB)}"}`,
  `{"versions":{"a":1:2,"b":"${"x".repeat(2 * MIB)}"}}`,
  `{${",".repeat(2 * MIB)}}`,
  `{"versions":{${",".repeat(2 * MIB)}}}`,
  `{"versions":[${",".repeat(2 * MIB)}]}`,
  `{${'"":,'.repeat(MIB / 2)}}`,
  `{"versions":{${'"":,'.repeat(MIB / 2)}}}`,
  `{"versions":{${'"" '.repeat(MIB)}}}`,
  `{"versions":{1:2,"b":"${"x".repeat(2 * MIB)}"}}`,
  `["versions":1,"${"x".repeat(2 * MIB)}"]`,
  `{"versions":["a":1,"${"x".repeat(2 * MIB)}"]}`,
];

test.each(INVALID.map((text) => [text.slice(0, 20), text]))(
  "a document is refused where it stops being JSON, not at its end: %s…",
  async (_, text) => {
    expect(await sliced(text)).toEqual({ rest: undefined, entries: [], pauses: 0 });
  },
);

test.each([
  "{",
  '{"versions":{',
  '{"versions":{"a":1',
  '{"versions":["a',
  '{"a":1,}',
  '{"versions":{"a":1,}}',
  '{"versions":[1,]}',
  '{"versions":{"a":}}',
  "}",
  '{"a" 1}',
  '{"versions":{"a":1]}',
])("a document that is not whole is not JSON: %s", async (text) => {
  expect(await sliced(text)).toMatchObject({ rest: undefined });
});

test("a member that is not valid JSON leaves the others readable", async () => {
  const { entries } = await sliced('{"versions":{"a":nul,"b":[1 2],"c":3}}');
  expect(entries).toEqual([
    ["a", undefined],
    ["b", undefined],
    ["c", 3],
  ]);
});

test("what is decoded during the scan is not more than the document", async () => {
  const parse = vi.spyOn(JSON, "parse");
  try {
    const members = `"${LONG}":1,`.repeat(1_000);
    const document = `{"versions":{${members}"a":1}}`;
    await sliced(document);
    const decoded = parse.mock.calls.reduce((sum, [text]) => sum + text.length, 0);
    expect(decoded).toBeLessThan(2 * document.length);
    parse.mockClear();
    await sliced(`{${`"${LONG}":1,`.repeat(1_000)}"a":1}`);
    expect(parse.mock.calls.length).toBeLessThan(2_000);
  } finally {
    parse.mockRestore();
  }
});

test("members with one key and values outside of the field count while the document is scanned", async () => {
  const often = '"":1,'.repeat(MIB);
  await expect(sliced(`{"versions":{${often}"a":1}}`, 1_000)).rejects.toThrow(
    "more than the 1000 entries",
  );
  const parse = vi.spyOn(JSON, "parse");
  try {
    await expect(sliced(`{${often}"a":1}`)).rejects.toThrow(
      "more than the 300000 values",
    );
    expect(parse).not.toHaveBeenCalled();
  } finally {
    parse.mockRestore();
  }
});
