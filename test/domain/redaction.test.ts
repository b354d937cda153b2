import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { budgetOfAnswers, budgetOfError } from "../../activities/registries/budget.ts";
import { createGrowingShown, createShown } from "../../activities/registries/foreign.ts";
import { readFileAnswers } from "../../activities/registries/instance/answers.ts";
import { describeErrors } from "../../activities/registries/oci/errors.ts";

const SECRET = 'hunter2 "Sécret"/+&<x>';
const WORD = "hunter2-SECRET-of-alice";
const MARKED = "al!ce@work/100%+x";
const HEX = "deadbeef0123cafe";
/** As long as a token: only its beginning is looked for. */
const TOKEN = Array.from({ length: 40 }, (_, at) => `aZ${at * 7919}.`).join("_");

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
const wide = (text: string) =>
  [...text].map((c) => `\\U${c.codePointAt(0)?.toString(16).padStart(8, "0")}`).join("");
const octal = (text: string) =>
  [...Buffer.from(text)].map((b) => `\\${b.toString(8).padStart(3, "0")}`).join("");
const quotedPrintable = (text: string) =>
  percent(text)
    .toUpperCase()
    .replaceAll("%", "=")
    .replace(/(.{60})/g, "$1=\r\n");
const REFERENCES: Record<string, string> = {
  '"': "&quot;",
  "/": "&sol;",
  "+": "&plus;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "-": "&hyphen;",
  "@": "&commat;",
  "!": "&excl;",
  "%": "&percnt;",
  é: "&eacute;",
};
const references = (text: string) => [...text].map((c) => REFERENCES[c] ?? c).join("");
const between = (letter: string) => (text: string) => [...text].join(letter);
const inLines = (width: number, text: string) =>
  text.replace(new RegExp(`(.{${width}})`, "g"), "$1\r\n");
const quoting = (text: string) => base64(`this is what you have sent to us: ${text}`);
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
  ["in zlib in base64", (s) => base64(deflateSync(`password=${s}`))],
  ["in deflate in base64", (s) => base64(deflateRawSync(`password=${s}`))],
  ["in gzip in base64 in lines", (s) => inLines(64, base64(gzipSync(`password=${s}`)))],
  ["in base64 in lines of 64", (s) => inLines(64, quoting(s))],
  ["in base64 in lines of 76", (s) => inLines(76, quoting(s))],
  ["in base64 in lines in JSON", (s) => JSON.stringify(inLines(64, quoting(s)))],
  ["in base64 twice", (s) => base64(base64(s))],
  ["in base64 three times", (s) => base64(base64(base64(s)))],
  ["percent-encoded in base64", (s) => base64(encodeURIComponent(s))],
  ["in JSON in base64", (s) => base64(JSON.stringify({ password: s }))],
  ["percent-encoded four times", (s) => [1, 2, 3].reduce(encodeURIComponent, percent(s))],
  ["with octal escapes", octal],
  ["with wide escapes of a program", wide],
  ["with braces in its escapes", (s) => unicode(s).replace(/\\u(....)/g, "\\u{$1}")],
  ["with named references", references],
  ["with references without an end", (s) => entities(s).replaceAll(";", "")],
  ["with zeros in its references", (s) => entities(s).replaceAll("&#", "&#0000000000")],
  ["in quoted-printable", quotedPrintable],
  ["with zero-width spaces", between("\u200b")],
  ["with soft hyphens", between("\u00ad")],
  ["with invisible letters in base64", (s) => base64(between("\u2060")(s))],
  ["with variation selectors", between("\ufe0f")],
  ["with each letter decomposed", (s) => s.normalize("NFD")],
];

test.each(FORMS)("a secret that is echoed %s does not show", (_form, echo) => {
  for (const secret of [SECRET, WORD, MARKED, HEX, TOKEN]) {
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
      expect(said).not.toContain(secret.slice(-8));
      // The last line of what is packed does not hold the secret.
      expect(/\s/.test(echo(secret)) ? "" : said).not.toContain(echo(secret).slice(-12));
    }
  }
});

test("a secret in UTF-16 in base64 does not show", () => {
  const said = createShown([WORD])(`sent ${base64(Buffer.from(WORD, "utf16le"))} here`);
  expect(said).toBe("sent *** here");
});

test("all lines of a long token in base64 are hidden", () => {
  for (const width of [64, 76])
    expect(createShown([TOKEN])(`sent ${inLines(width, quoting(TOKEN))}`)).toMatch(
      /^sent (\w+ )?\*\*\*$/,
    );
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

test("the first of a thousand tokens in use is still hidden", () => {
  const { shown, hide } = createGrowingShown([WORD]);
  const token = (of: number) => `ghs_${of}_${"x".repeat(of % 90)}_of-a-repository`;
  for (let of = 0; of < 1_000; of += 1) hide(token(of));
  expect(shown(`token ${token(0)} is wrong`)).toBe("token *** is wrong");
});

test("a token that is used again is not the next to be forgotten", () => {
  const { shown, hide } = createGrowingShown([WORD]);
  for (let of = 0; of < 5_000; of += 1) {
    hide(`token-number-${of}-of-many`);
    hide("the-token-that-lives-long");
  }
  expect(shown("the-token-that-lives-long is wrong")).toBe("*** is wrong");
});

test("words after a long token are shown", () => {
  expect(createShown([TOKEN])(`token ${TOKEN} is wrong`)).toBe("token *** is wrong");
});

test.each([
  "manifest unknown: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
  "GET https://registry.example.com/v2/library/alpine/manifests/latest?x=1&y=2 answered 404",
  '{"errors":[{"code":"DENIED","detail":{"id":"b2c6f0de-5d0e-4c7a-8f2e-111122223333"}}]}',
  "<html><head><title>502 Bad Gateway</title></head><body>nginx &copy; 2026</body></html>",
  "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
])("an ordinary message is quoted as it is: %s", (text) => {
  expect(createShown([SECRET, WORD, TOKEN])(text)).toBe(text);
});

/** What 130 letters stand for: 64 KiB. */
const BOMB = base64(gzipSync("a ".repeat(32_767)));
const bombs = `${BOMB} `.repeat(63).slice(0, 8_192);

test.each([
  ["packed contents", bombs],
  ["packed contents without blanks", bombs.replaceAll(" ", "")],
  ["packed escapes", `${base64(gzipSync("%25".repeat(20_000)))} `.repeat(60)],
  ["beginnings of gzip", base64(Buffer.from("1f8b08".repeat(2_000), "hex"))],
  ["beginnings of zlib", base64(Buffer.from("789c".repeat(3_000), "hex"))],
])("a text of %s is hidden after few bytes and steps", (_what, text) => {
  const rest = budgetOfError();
  const before = { ...rest };
  expect(createShown([WORD])(text, rest)).toMatch(/^[* ]+$/);
  expect(before.bytes - rest.bytes).toBeLessThanOrEqual(16 * 1024);
  expect(before.steps - rest.steps).toBeLessThanOrEqual(256 * 1024);
  expect(before.tries - rest.tries).toBeLessThanOrEqual(200);
});

test.each(["a", "ab ", "%25", "\\", "&#0", "=3D", "0a", "a longer sentence. "])(
  "a text of %s takes a number of steps that does not grow with its length",
  (part) => {
    const costOf = (length: number): number => {
      const rest = budgetOfError();
      const before = rest.steps;
      createShown([WORD])(part.repeat(length).slice(0, length), rest);
      return before - rest.steps;
    };
    expect(costOf(64 * 1024)).toBeLessThanOrEqual(costOf(4_096));
    expect(costOf(2_000)).toBeLessThanOrEqual(2 * costOf(1_000) + 4_096);
  },
);

test("what is beyond the budget of an answer is hidden", () => {
  const shown = createShown([WORD]);
  const rest = { ...budgetOfAnswers(), steps: 2_000 };
  const said = Array.from({ length: 200 }, (_, at) => shown(`refused: file ${at}`, rest));
  expect(said[0]).toBe("refused: file 0");
  expect(said.at(-1)).toBe("***");
  expect(new Set(said.filter((each) => each !== "***")).size).toBeGreaterThan(10);
});

test("an error body of many entries is described by the first ones and the number of the others", () => {
  let count = 0;
  const errors = Array.from({ length: 300 }, () => ({ code: "X", message: "y" }));
  const said = describeErrors(JSON.stringify({ errors }), (text) => {
    count += 1;
    return text;
  });
  expect(count).toBe(40);
  expect(said).toMatch(/^X: y; .*; and 280 more$/);
});

const refused = (message: string) => ({ result: "refused", code: 1, message });

test("a thousand refusals of an instance are quoted as they are", async () => {
  const messages = Array.from(
    { length: 1_000 },
    (_, at) => `libs/some-name-${at}.jar: the quota of project "team-${at}" is exceeded`,
  );
  const answers = await readFileAnswers(
    { files: messages.map(refused) },
    1_000,
    "files",
    createShown([WORD, SECRET]),
  );
  expect(answers).toEqual(messages.map(refused));
});

test("a thousand refusals of packed contents are hidden, and other work has its turns meanwhile", async () => {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const answers = await readFileAnswers(
    { files: Array.from({ length: 1_000 }, () => refused(bombs)) },
    1_000,
    "files",
    createShown([WORD]),
  );
  isOver = true;
  expect(
    answers.every((each) => /^[* ]+$/.test("message" in each ? each.message : "")),
  ).toBe(true);
  expect(turns).toBeGreaterThan(10);
});
