import { deriveKey, sameSecret, sign } from "./seal.ts";

export const REGISTRY_ACTIONS = ["pull", "push", "delete"] as const;
export type RegistryAction = (typeof REGISTRY_ACTIONS)[number];

/**
 * Permitted actions on one hosted image; `name` is `{projectId}/{repoName}/{image}`, or the beginning of such names up
 * to a slash.
 */
export type RegistryScope = { name: string; actions: readonly RegistryAction[] };

export type RegistryTokens = {
  /** Issues a token that is valid for `seconds` from now on. */
  issue: (scopes: readonly RegistryScope[], seconds: number) => string;
  /** Returns the scopes of a token; null when the token is not ours or has expired. */
  check: (token: string) => RegistryScope[] | null;
  /** Returns 8 hex digits that only this instance can compute for a text; they bind an upload to its image. */
  mark: (text: string) => string;
};

type Claims = { scopes: RegistryScope[]; expires: number };

/**
 * Creates and checks short-lived tokens for `/v2`, `{claims}.{signature}`. The signature is an HMAC
 * with a key for this purpose only, derived from the secret key (docs/decisions.md#registry-tokens).
 */
export function createRegistryTokens(
  secretKey: string,
  now: () => number = Date.now,
): RegistryTokens {
  const key = deriveKey(secretKey, "registry-token");
  return {
    issue(scopes, seconds) {
      const claims: Claims = { scopes: [...scopes], expires: now() + seconds * 1000 };
      const payload = Buffer.from(JSON.stringify(claims)).toString("base64url");
      return `${payload}.${sign(key, payload)}`;
    },
    check(token) {
      const [payload = "", signature = "", ...more] = token.split(".");
      if (more.length > 0 || !sameSecret(signature, sign(key, payload))) return null;
      const { scopes, expires } = JSON.parse(
        Buffer.from(payload, "base64url").toString("utf8"),
      ) as Claims;
      return now() < expires ? scopes : null;
    },
    mark: (text) => sign(key, `mark ${text}`).slice(0, 8),
  };
}

export function allows(
  scopes: readonly RegistryScope[],
  name: string,
  action: RegistryAction,
): boolean {
  return scopes.some(
    (scope) =>
      (scope.name === name ||
        (scope.name.endsWith("/") && name.startsWith(scope.name))) &&
      scope.actions.includes(action),
  );
}
