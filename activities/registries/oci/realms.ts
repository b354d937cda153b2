import { TransferError } from "../../../domain/failure.ts";
import { isHttp } from "../../../domain/http-url.ts";
import { judgeRealm, realmText, type RealmVerdict } from "../../../domain/realms.ts";
import type { End } from "../contract.ts";
import { placeOf, type Shown } from "../foreign.ts";
import type { Challenge } from "./challenge.ts";

/** `basic`: the login that realms get in exchange for tokens, if any; the rest is as in End. */
export type RealmLogin = {
  basic: string | undefined;
  realms?: End["realms"] | undefined;
  onRealm?: End["onRealm"] | undefined;
};

/**
 * Decides which realms get the login of a registry: who answers in the place of a registry may name any. Without
 * accepted realms, the first https one is the only one.
 */
export function createRealms(
  registry: URL,
  { basic, realms = null, onRealm = () => {} }: RealmLogin,
  shown: Shown,
) {
  let accepted = realms;
  let first: string | null = null;

  function verdictOn(url: URL, realm: string): RealmVerdict {
    if (realm === first) return "first";
    const verdict = judgeRealm(url, registry, accepted);
    // A realm that has the password in its address, or is too long to be shown, is nobody's to accept.
    return verdict === "first" && realm !== realmText(url) ? "refused" : verdict;
  }

  return {
    /**
     * Returns the realm that a challenge names. Throws when it may not get the login. `accept` is to be called when it
     * has answered with a token.
     */
    enter(challenge: Challenge): { url: URL; accept: () => void } {
      const url = realmUrl(challenge, registry);
      if (basic === undefined) return { url, accept: () => {} };
      const realm = shown(realmText(url));
      const verdict = verdictOn(url, realm);
      onRealm({ realm, verdict, isGood: false });
      mustBeAllowed({ url, realm }, verdict, registry, shown);
      // From now on no other gets the login, whether this one accepts it or not.
      if (verdict === "first") accepted = [(first = realm)];
      return {
        url,
        accept() {
          if (verdict === "first") first = null;
          onRealm({ realm, verdict, isGood: true });
        },
      };
    },
  };
}

function realmUrl(challenge: Challenge, registry: URL): URL {
  const realm = challenge.parameters.get("realm") ?? "";
  if (URL.canParse(realm) && isHttp(new URL(realm))) return new URL(realm);
  throw new TransferError(
    "invalid",
    `${registry.host} demands a token but names no valid realm to fetch the token from: ` +
      "repair the WWW-Authenticate header of the registry",
  );
}

/** Throws when a realm must not get the password of a registry. */
function mustBeAllowed(
  { url, realm }: { url: URL; realm: string },
  verdict: RealmVerdict,
  registry: URL,
  shown: Shown,
): void {
  if (url.protocol === "http:" && registry.protocol === "https:") {
    const { host } = placeOf(url, registry.origin, shown);
    throw new TransferError(
      "invalid",
      `${registry.host} demands the password at http://${host}, without TLS, ` +
        "so the password is not sent: give the token server https",
    );
  }
  if (verdict !== "refused") return;
  throw new TransferError(
    "invalid",
    `${registry.host} demands the password at another place, ${realm}, which was not accepted, ` +
      "so the password is not sent: if that is the registry's token server, add this address to acceptedRealms of " +
      "the cluster or linked repository",
  );
}
