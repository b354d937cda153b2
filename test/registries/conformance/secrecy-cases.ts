import { inspect } from "node:util";
import { expect } from "vitest";
import type { End } from "../../../activities/registries/contract.ts";
import { during, every, silence, status } from "../../servers/faulty.ts";
import type { Fault, FaultProxy } from "../../servers/proxy.ts";
import { operations, troubleOf } from "./operations.ts";
import { never } from "./reading.ts";
import type { Case } from "./rig.ts";

const PASSWORD = 'pass"word\\of/mallory+%?';
const TOKEN = "token-of-mallory-0123456789abcdef";
/** In each form in which a server may say them again. */
const formsOf = (secret: string): string[] => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];

type Login = { login: Partial<End>; secrets: string[] };
const LOGINS: Login[] = [
  { login: { username: "mallory", password: PASSWORD, token: null }, secrets: formsOf(PASSWORD) },
  { login: { username: null, password: null, token: TOKEN }, secrets: formsOf(TOKEN) },
  { login: { username: "mallory", password: null, token: TOKEN }, secrets: formsOf(TOKEN) },
];

/** What servers could make of what they were sent, which was `secrets`. */
function echoesOf(secrets: readonly string[]): Fault[] {
  const told = `you sent ${secrets.join(" and ")}`;
  const json = JSON.stringify({ error: told, reason: told, message: told, errors: [{ code: "DENIED", message: told, detail: told }] });
  const word = secrets.filter((secret) => secret === encodeURIComponent(secret)).join("-");
  return [
    ...[400, 401, 403, 409, 429, 500, 200].flatMap((code) => [status(code, { body: told }), status(code, { body: json, headers: { "content-type": "application/json" } })]),
    status(401, { headers: { "www-authenticate": `Basic realm="${word}"` }, body: told }),
    status(401, { headers: { "www-authenticate": `Bearer realm="http://127.0.0.1:9/${word}?token=${word}",service="${word}"` } }),
    status(302, { headers: { location: `http://127.0.0.1:9/?token=${word}` } }),
    status(200, { headers: { "content-type": `text/${word}`, "content-encoding": word }, body: told }),
    silence,
    { kind: "reset" },
  ];
}
const ECHOES = echoesOf([]).length;

/** Each request is answered by the echo number `at` of the login and of what the request's own header said; nothing of them may come back. */
async function expectSilent(proxy: FaultProxy, { secrets }: Login, at: number, what: string, work: () => Promise<unknown>): Promise<void> {
  const sent = new Set(secrets);
  const rule = every((_count, { headers: { authorization = "" } }) => {
    sent.add(authorization.split(" ")[1] ?? "").delete("");
    return echoesOf([...sent])[at] ?? null;
  });
  const { answer } = await during(proxy, rule, work);
  const said = inspect(answer, { depth: 8 });
  expect([...sent].filter((secret) => said.includes(secret)), `secrets in what ${what} says to echo ${at}: ${said}`).toEqual([]);
}

export const SECRECY_CASES = {
  "keeps secrets out of its messages, also those that the server echoes": {
    needs: [],
    async run(rig) {
      for (const { name, proxy, run } of await operations(rig)) {
        for (const each of LOGINS) {
          for (let at = 0; at < ECHOES; at += 1) await expectSilent(proxy, each, at, name, () => troubleOf(run({ ...each.login, idleTimeoutMs: 300 }, never())));
        }
      }
    },
  },
  "keeps secrets out of what its check says": {
    needs: [],
    async run({ connector, to }) {
      for (const each of LOGINS) {
        const work = () => connector.check(to.end({ ...each.login, idleTimeoutMs: 300 }), never());
        for (let at = 0; at < ECHOES; at += 1) await expectSilent(to.proxy, each, at, "the check", work);
      }
    },
  },
} satisfies Record<string, Case>;
