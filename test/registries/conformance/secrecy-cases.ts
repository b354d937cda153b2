import { inspect } from "node:util";
import { expect } from "vitest";
import type { End } from "../../../activities/registries/contract.ts";
import {
  during,
  every,
  faultOf,
  on,
  silence,
  status,
  watching,
  type Faults,
  type Rule,
} from "../../rigs/servers/faulty.ts";
import type { Fault, FaultProxy } from "../../rigs/servers/proxy.ts";
import { operations, troubleOf } from "./operations.ts";
import { never } from "./reading.ts";
import { wire, type Case, type Rig } from "./rig.ts";

const PASSWORD = 'pass"word\\of/mallory+%?';
const TOKEN = "token-of-mallory-0123456789abcdef";
/**
 * A secret counts as leaked if its first TELLING characters appear: a shortened message may contain
 * only a part.
 */
const TELLING = 40;
/** A secret in each form in which a server may echo it. */
const formsOf = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  JSON.stringify(secret).slice(1, -1),
];

type Login = { login: Partial<End>; secrets: string[] };
const LOGINS: Login[] = [
  {
    login: { username: "mallory", password: PASSWORD, token: null },
    secrets: formsOf(PASSWORD),
  },
  { login: { username: null, password: null, token: TOKEN }, secrets: formsOf(TOKEN) },
  {
    login: { username: "mallory", password: null, token: TOKEN },
    secrets: formsOf(TOKEN),
  },
];

const JSON_TYPE = { "content-type": "application/json" };
const told = (secrets: readonly string[]): string => `you sent ${secrets.join(" and ")}`;

/** Answers that echo `secrets` in every way a server may choose. */
function echoesOf(secrets: readonly string[]): Fault[] {
  const text = told(secrets);
  const json = JSON.stringify({
    error: text,
    reason: text,
    message: text,
    errors: [{ code: "DENIED", message: text, detail: text }],
  });
  const word = secrets
    .filter((secret) => secret === encodeURIComponent(secret))
    .join("-");
  return [
    ...[400, 401, 403, 409, 429, 500, 200].flatMap((code) => [
      status(code, { body: text }),
      status(code, { body: json, headers: JSON_TYPE }),
    ]),
    status(401, { headers: { "www-authenticate": `Basic realm="${word}"` }, body: text }),
    status(401, {
      headers: {
        "www-authenticate": `Bearer realm="http://127.0.0.1:9/${word}?token=${word}",service="${word}"`,
      },
    }),
    status(302, { headers: { location: `http://127.0.0.1:9/?token=${word}` } }),
    status(200, {
      headers: { "content-type": `text/${word}`, "content-encoding": word },
      body: text,
    }),
  ];
}

/** Faults without an answer: only our own texts can then leak. Each takes some seconds. */
const NO_ANSWERS: Fault[] = [silence, { kind: "reset" }];
const answersTo = (login: Login, secrets: readonly string[]): Fault[] => [
  ...echoesOf(secrets),
  ...(login === LOGINS[0] ? NO_ANSWERS : []),
];

/** Answers that echo `secrets` in bodies of the protocol, if the rig has any. */
const sayingsOf = (
  secrets: readonly string[],
  sayings: Rig["sayings"] = () => [],
): Fault[] =>
  sayings(told(secrets)).flatMap((body) =>
    [200, 400].map((code) => status(code, { body, headers: JSON_TYPE })),
  );

/**
 * An operation, the proxy before its end, and a function that breaks its requests by faults that echo
 * secrets.
 */
type Talk = {
  name: string;
  proxy: FaultProxy;
  breaks: (faults: Faults) => Rule;
  run: (changes: Partial<End>) => Promise<unknown>;
};
type Echoes = (secrets: readonly string[]) => Fault[];

/**
 * Answers requests by each echo of the login and of their own header, and expects that no message contains a secret.
 */
async function expectSilent(
  { name, proxy, breaks, run }: Talk,
  { login, secrets }: Login,
  echoes: Echoes,
): Promise<void> {
  for (const [at, { kind }] of echoes([]).entries()) {
    // Long enough that the operation comes to the request that gets no answer.
    const idleTimeoutMs = kind === "hang" ? 2_000 : 60_000;
    const sent = new Set(secrets);
    let echoed = 0;
    const rule = breaks((_count, { headers: { authorization = "" } }) => {
      sent.add(authorization.split(" ")[1] ?? "").delete("");
      echoed += 1;
      return echoes([...sent])[at] ?? null;
    });
    const { answer } = await during(proxy, rule, () => run({ ...login, idleTimeoutMs }));
    expect(echoed, `requests of ${name} that are answered by echo ${at}`).toBeGreaterThan(
      0,
    );
    const said = inspect(answer, { depth: 8 });
    expect(
      [...sent].filter((secret) => said.includes(secret.slice(0, TELLING))),
      `secrets in what ${name} says to echo ${at}: ${said}`,
    ).toEqual([]);
  }
}

/** Breaks only the last request of an operation: by then the login may have been exchanged for a token. */
async function lastOf({ proxy, run }: Talk): Promise<Talk["breaks"]> {
  const { requests } = await watching(proxy, () => run({}));
  return (faults) =>
    on({}, (at, asked) => (at < requests.length - 1 ? null : faultOf(faults, at, asked)));
}

/** Returns the login that the server accepts; null if it needs none. */
function ownLogin({ from, to }: Rig, proxy: FaultProxy): Login | null {
  const { password, token } = (proxy === to.proxy ? to : from).end();
  const secret = token ?? password;
  return secret === null ? null : { login: {}, secrets: formsOf(secret) };
}

export const SECRECY_CASES = {
  "keeps secrets out of its messages, even if the server echoes them": {
    needs: ["wire"],
    async run(rig) {
      const all = await operations(rig);
      for (const operation of all) {
        const talk: Talk = {
          ...operation,
          proxy: wire(operation),
          run: (changes) => troubleOf(operation.run(changes, never())),
        };
        const own = ownLogin(rig, talk.proxy);
        if (own !== null) {
          const echoes: Echoes = (sent) => sayingsOf(sent, rig.sayings);
          await expectSilent(talk, own, echoes);
          await expectSilent({ ...talk, breaks: await lastOf(talk) }, own, echoes);
        }
        // A login that the server does not know fails at the first request, so one operation of each
        // kind is enough.
        if (all.find(({ kind }) => kind === operation.kind) !== operation) continue;
        for (const each of LOGINS)
          await expectSilent({ ...talk, breaks: every }, each, (sent) =>
            answersTo(each, sent),
          );
      }
    },
  },
  "keeps secrets out of the answers of its check": {
    needs: ["check", "wire"],
    async run({ connector, to, sayings }) {
      const run: Talk["run"] = async (changes) =>
        connector.check?.(to.end(changes), "WRITE", never());
      const talk: Talk = { name: "the check", proxy: wire(to), breaks: every, run };
      for (const each of LOGINS)
        await expectSilent(talk, each, (sent) => [
          ...answersTo(each, sent),
          ...sayingsOf(sent, sayings),
        ]);
    },
  },
} satisfies Record<string, Case>;
