import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { expect } from "vitest";
import type { End } from "../../../activities/registries/contract.ts";
import { during, every, status } from "../../rigs/servers/faulty.ts";
import type { Fault } from "../../rigs/servers/proxy.ts";
import { operations, troubleOf, type Trouble } from "./operations.ts";
import { never } from "./reading.ts";
import { wire, type Case, type Rig } from "./rig.ts";

/** Passwords that are words of our sentences, of URLs and of protocols, or short. */
const WORDS = ["password", "registry", "the"];
/** A password that is part of no sentence. */
const NEUTRAL = "zqxneutralxq";

/** A server that refuses every request, so that messages show the URL at which it was reached. */
async function startElsewhere(): Promise<{ url: string; close: () => void }> {
  const server = createServer((_request, response) => response.writeHead(403).end());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

/** Answers that echo a word wherever a server can, between words that are part of no sentence. */
function echoesOf(word: string, elsewhere: string): Fault[] {
  const text = `quux ${word} quux`;
  const headers = { "content-type": "application/json" };
  const json = JSON.stringify({ error: text, message: text, code: 7, data: null });
  const errors = JSON.stringify({
    errors: [{ code: `x-${word}`, message: text, detail: text }],
  });
  const challenge = (realm: string) => ({
    "www-authenticate": `Bearer realm="${realm}",service="${word}",scope="${word}"`,
  });
  return [
    ...[401, 403, 500, 200].flatMap((code) => [
      status(code, { body: text }),
      status(code, { body: json, headers }),
      status(code, { body: errors, headers }),
    ]),
    status(401, { headers: { "www-authenticate": `Basic realm="${word}"` } }),
    ...[`${elsewhere}/${word}/x`, `${word}:x`, word].map((realm) =>
      status(401, { headers: challenge(realm) }),
    ),
    status(307, { headers: { location: `${elsewhere}/${word}/x?${word}` } }),
    status(307, { headers: { location: `http://169.254.0.1/${word}` } }),
    status(200, { headers: { "content-type": `text/${word}` }, body: "{}" }),
    status(200, { headers: { "content-encoding": `zz-${word}` }, body: "{}" }),
  ];
}

/** Leaves out what differs between two runs of one operation: numbers, and the names of new artifacts. */
const comparable = (said: string): string =>
  said.replace(/@conformance(?:\/|%2F)/g, "").replace(/[0-9a-f]{8,}|\d+/g, "#");

/** Returns the message of a failure; of anything else, all of it. */
function saidIn(answer: unknown): string {
  const { trouble } = answer as Awaited<ReturnType<typeof troubleOf>> & {
    trouble?: Trouble;
  };
  return trouble?.message ?? inspect(answer, { depth: 8 });
}

type Run = (changes: Partial<End>) => Promise<unknown>;

/**
 * Expects that an operation says the same for every password that a server echoes: then its own words are whole,
 * and the echo is hidden.
 */
async function expectSame(
  name: string,
  proxy: NonNullable<Rig["to"]["proxy"]>,
  run: Run,
): Promise<void> {
  const elsewhere = await startElsewhere();
  const said = async (word: string, at: number): Promise<string> => {
    const echo = echoesOf(word, elsewhere.url)[at] ?? null;
    const login = { username: "mallory", password: word, token: null };
    const { answer } = await during(
      proxy,
      every(() => echo),
      () => run(login),
    );
    return comparable(saidIn(answer));
  };
  try {
    for (const at of echoesOf("", "").keys()) {
      const expected = await said(NEUTRAL, at);
      expect(expected, `${name}, echo ${at}`).not.toContain(NEUTRAL);
      for (const word of WORDS)
        expect(await said(word, at), `${name}, echo ${at}, password ${word}`).toBe(
          expected,
        );
    }
  } finally {
    elsewhere.close();
  }
}

export const WORD_CASES = {
  "says the same whatever word its password is, and hides the word where a server echoes it":
    {
      needs: ["wire"],
      async run(rig) {
        const all = await operations(rig);
        for (const each of all) {
          if (all.find(({ kind }) => kind === each.kind) !== each) continue;
          const run: Run = (changes) => troubleOf(each.run(changes, never()));
          await expectSame(each.name, wire(each), run);
        }
      },
    },
  "says the same in its check whatever word the password is": {
    needs: ["check", "wire"],
    async run({ connector, to }) {
      for (const use of ["READ", "WRITE", "GLANCE"] as const) {
        const run: Run = async (changes) =>
          connector.check?.(to.end(changes), use, never());
        await expectSame(`the check (${use})`, wire(to), run);
      }
    },
  },
} satisfies Record<string, Case>;
