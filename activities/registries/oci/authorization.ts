import type { End } from "../contract.ts";
import type { HttpClient } from "../http.ts";
import type { HttpResponse } from "../http-message.ts";
import { preferredChallenge, type Challenge } from "./challenge.ts";
import { createTokenStore } from "./tokens.ts";

export type Credentials = {
  username?: string | null | undefined;
  password?: string | null | undefined;
  /**
   * A Bearer token of the registry, sent unchanged; but if a username is given, the password of that user
   * (`password` has precedence).
   */
  token?: string | null | undefined;
  /** Replaces the other credentials without waiting for a challenge; this and the next two as in End. */
  authorization?: End["authorize"] | undefined;
  realms?: End["realms"] | undefined;
  onRealm?: End["onRealm"] | undefined;
};

type Authorization = {
  /**
   * Returns the Authorization value for these scopes; undefined when the request is to be sent without
   * a login.
   */
  valueFor: (scopes: readonly string[]) => Promise<string | undefined>;
  /**
   * Records the challenge of a 401 whose request carried `sent`. Returns true when a second try may succeed:
   * with another token, or with a login that was not tried yet.
   */
  learn: (
    response: HttpResponse,
    sent: string | undefined,
    scopes: readonly string[],
  ) => boolean;
};

/**
 * Creates the login to one registry: uses `authorization` or a Bearer token if one is given, else what the
 * registry's challenge demands (RFC 9110 §11.6.1).
 */
export function createAuthorization(
  http: HttpClient,
  origin: URL,
  credentials: Credentials,
): Authorization {
  const basic = basicHeader(credentials);
  const token =
    basic === undefined && credentials.token ? `Bearer ${credentials.token}` : undefined;
  const fixed =
    credentials.authorization ?? (token === undefined ? undefined : () => token);
  const tokens = createTokenStore(http, origin, { ...credentials, basic });
  let challenge: Promise<Challenge | undefined> | undefined;
  let refused: string | undefined;

  /**
   * Requests the challenge of the registry once, and again only after a failure. A registry that sends none
   * gets no login until it sends one.
   */
  function firstChallenge(): Promise<Challenge | undefined> {
    challenge ??= askChallenge(http, origin).catch((error: unknown) => {
      challenge = undefined;
      throw error;
    });
    return challenge;
  }

  return {
    async valueFor(scopes) {
      if (fixed !== undefined) return fixed(refused);
      const wanted = await firstChallenge();
      if (wanted?.scheme === "bearer") return tokens.get(wanted, scopes);
      return wanted?.scheme === "basic" ? basic : undefined;
    },
    learn(response, sent, scopes) {
      const wanted = preferredChallenge(response.list("www-authenticate"));
      if (wanted === undefined) return false;
      if (fixed !== undefined) {
        const isFirst = sent !== undefined && sent !== refused;
        refused = sent;
        return credentials.authorization !== undefined && isFirst;
      }
      challenge = Promise.resolve(wanted);
      if (wanted.scheme === "basic") return basic !== undefined && sent !== basic;
      tokens.drop(scopes, sent ?? "", wanted.parameters.get("scope"));
      return true;
    },
  };
}

async function askChallenge(
  http: HttpClient,
  origin: URL,
): Promise<Challenge | undefined> {
  const url = new URL("/v2/", origin);
  const response = await http.request({
    method: "GET",
    url,
    what: `registry ${origin.host}`,
    accept: [401, 403, 404, 405],
  });
  await response.discard();
  return preferredChallenge(response.list("www-authenticate"));
}

function basicHeader({ username, password, token }: Credentials): string | undefined {
  if (!username) return undefined;
  return `Basic ${Buffer.from(`${username}:${password ?? token ?? ""}`).toString("base64")}`;
}
