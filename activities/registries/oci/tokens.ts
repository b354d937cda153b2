import { setBounded } from "../../../domain/bounded.ts";
import { LIMITS } from "../../../domain/foreign/limits.ts";
import { record } from "../../../domain/json.ts";
import { TransferError } from "../../../domain/failure.ts";
import { MOST_TOKENS } from "../foreign.ts";
import type { HttpClient } from "../http.ts";
import type { Challenge } from "./challenge.ts";
import { createRealms, type RealmLogin } from "./realms.ts";
import { elapsed } from "../../../domain/elapsed.ts";

const DEFAULT_LIFE_S = 60;
const LONGEST_MARGIN_MS = 10_000;
/** Letters of a token. Servers read headers of 8 to 16 KiB, so a longer one would serve nobody. */
const LONGEST_TOKEN = 16_384;

type TokenStore = {
  /**
   * Returns the Authorization value for these scopes. Fetches a token when none is valid; concurrent callers share one
   * fetch.
   */
  get: (challenge: Challenge, scopes: readonly string[]) => Promise<string>;
  /**
   * Forgets the token for these scopes if it is the one that the registry refused (`refused`). `wanted`: the
   * scope that the registry demanded instead; it is requested from now on.
   */
  drop: (scopes: readonly string[], refused: string, wanted: string | undefined) => void;
};

type Token = { header: string; expires: number };
type Entry = { fetch: Promise<Token>; header?: string };

/**
 * Creates a store that fetches tokens as the distribution token specification defines. The login goes only to realms
 * that may get it.
 */
export function createTokenStore(
  http: HttpClient,
  registry: URL,
  login: RealmLogin,
): TokenStore {
  const { basic } = login;
  const realms = createRealms(registry, login, http.shown);
  const entries = new Map<string, Entry>();
  const wantedScopes = new Map<string, readonly string[]>();

  async function fetchToken(
    challenge: Challenge,
    scopes: readonly string[],
    own: readonly string[],
  ): Promise<Token> {
    const { url, accept } = realms.enter(challenge);
    const service = challenge.parameters.get("service");
    if (service !== undefined) url.searchParams.set("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    const others = scopes.filter((scope) => !own.includes(scope)).join(" ");
    const named = scopes.filter((scope) => own.includes(scope));
    if (others !== "") named.push(http.shown(others));
    const what = `login to ${registry.host}${scopes.length === 0 ? "" : ` for ${named.join(" ")}`}`;
    const headers = basic === undefined ? {} : { authorization: basic };
    const response = await http.request({
      method: "GET",
      url,
      ours: registry.origin,
      what,
      headers,
      unmoved: basic !== undefined,
    });
    const token = readToken(await response.json(LIMITS.facts), what);
    accept();
    return token;
  }

  return {
    async get(challenge, scopes) {
      const key = scopes.join(" ");
      for (;;) {
        const known = entries.get(key);
        const entry = known ?? {
          fetch: fetchToken(challenge, wantedScopes.get(key) ?? scopes, scopes),
        };
        if (known === undefined) setBounded(entries, key, entry, MOST_TOKENS);
        try {
          const { header, expires } = await entry.fetch;
          entry.header = header;
          if (known === undefined || elapsed() < expires) return header;
        } catch (error) {
          if (entries.get(key) === entry) entries.delete(key);
          throw error;
        }
        if (entries.get(key) === entry) entries.delete(key);
      }
    },
    drop(scopes, refused, wanted) {
      const key = scopes.join(" ");
      if (wanted !== undefined)
        setBounded(wantedScopes, key, wanted.split(" "), MOST_TOKENS);
      if (entries.get(key)?.header === refused) entries.delete(key);
    },
  };
}

function readToken(value: unknown, what: string): Token {
  const answer = record(value);
  const token = [answer["token"], answer["access_token"]].find(
    (value) => typeof value === "string" && value !== "",
  );
  if (typeof token !== "string" || /[^\x21-\x7e]/.test(token))
    throw new TransferError(
      "invalid",
      `${what}: the answer of the token server has no token: check the realm that the registry names`,
    );
  if (token.length > LONGEST_TOKEN)
    throw new TransferError(
      "invalid",
      `${what}: the token of the token server has more than ${LONGEST_TOKEN} letters: ` +
        "check the realm that the registry names",
    );
  const stated = answer["expires_in"];
  const seconds = typeof stated === "number" && stated > 0 ? stated : DEFAULT_LIFE_S;
  const life = seconds * 1000;
  return {
    header: `Bearer ${token}`,
    expires: elapsed() + life - Math.min(LONGEST_MARGIN_MS, life / 5),
  };
}
