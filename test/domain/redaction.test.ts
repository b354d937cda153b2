import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { createGrowingShown, createShown } from "../../activities/registries/foreign.ts";

const SECRET = 'hunter2 "Sécret"/+&<x>';
const WORD = "hunter2-SECRET-of-alice";

const percent = (text: string) =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
const entities = (text: string) =>
  [...text].map((c) => `&#${c.codePointAt(0)};`).join("");
const hexEntities = (text: string) =>
  [...text].map((c) => `&#x${c.codePointAt(0)?.toString(16)};`).join("");
const unicode = (text: string) =>
  [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
const programs = (text: string) =>
  [...Buffer.from(text, "latin1")]
    .map((b) => `\\x${b.toString(16).padStart(2, "0")}`)
    .join("");
const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");

/** The forms in which a server may echo a secret. */
const FORMS: [string, (secret: string) => string][] = [
  ["as it is", (s) => s],
  ["in capitals", (s) => s.toUpperCase()],
  ["as part of a URL", encodeURIComponent],
  ["as part of a URL twice", (s) => encodeURIComponent(encodeURIComponent(s))],
  ["with each letter percent-encoded", percent],
  ["in JSON", (s) => JSON.stringify(s)],
  ["in JSON within JSON", (s) => JSON.stringify(JSON.stringify(s))],
  ["with each letter escaped for JSON", unicode],
  ["with each letter escaped for a program", programs],
  ["with the first letters escaped for JSON", (s) => unicode(s.slice(0, 6)) + s.slice(6)],
  ["with decimal entities", entities],
  ["with hexadecimal entities", hexEntities],
  ["with entities in JSON", (s) => JSON.stringify(entities(s))],
  ["folded at each fifth letter", (s) => s.replaceAll(/(.{5})/g, "$1\n  ")],
  ["in base64", base64],
  ["in base64 of more", (s) => base64(`alice:${s}`)],
  ["in base64 of still more", (s) => base64(`ab ${s} cd`)],
  ["in base64url", (s) => Buffer.from(`u:${s}`).toString("base64url")],
  ["in hex", (s) => Buffer.from(s).toString("hex")],
  ["in gzip in base64", (s) => base64(gzipSync(`password=${s}`))],
];

test.each(FORMS)("a secret that is echoed %s does not show", (_form, echo) => {
  for (const secret of [SECRET, WORD]) {
    const shown = createShown([secret]);
    for (const text of [
      `you sent ${echo(secret)} here`,
      `"${echo(secret)}"`,
      echo(secret),
    ]) {
      const said = shown(text);
      expect(said).toContain("***");
      expect(said).not.toContain(echo(secret));
      expect(said).not.toContain(secret);
    }
  }
});

test("the words around an echo are kept", () => {
  expect(
    createShown([WORD])(`error 403: user alice, password ${percent(WORD)}, try again`),
  ).toBe("error 403: user alice, password ***, try again");
});

test("what is no secret is quoted as it is, whatever escapes it has", () => {
  const text = String.raw`{"detail":"100% of \u0041 &amp; aGVsbG8gd29ybGQ= %zz \q"}`;
  expect(createShown([WORD])(text)).toBe(text);
});

test("no part of a secret shows at the end of a long text", () => {
  const long = `${WORD} `.repeat(2_000);
  const said = createShown([WORD])(long);
  expect(said).not.toMatch(/hunter2/);
});

test("many secrets as long as a header may be are hidden", () => {
  const { shown, hide } = createGrowingShown([WORD]);
  const token = (of: number) =>
    Array.from({ length: 16_000 }, (_, at) =>
      String.fromCharCode(0x21 + ((at * 7 + of * 13 + at * at) % 94)),
    ).join("");
  for (let of = 0; of < 50; of += 1) hide(token(of));
  const said = shown(`your token ${token(7)} is refused, ${WORD}`.slice(0, 8_000));
  expect(said).toBe("your token ***");
});
