/**
 * Token realms: the addresses, outside an end, that may get the end's password in exchange for tokens. Null: the https
 * realm of the first good login becomes the only one.
 */
export type Realms = readonly string[] | null;

/**
 * Why a realm gets the password: it is at the end's own scheme, host and port, it was accepted, or it is the first one
 * of an end that has none yet. `refused`: it does not get it.
 */
export type RealmVerdict = "own" | "accepted" | "first" | "refused";

/**
 * Is told of a realm that asks for a password, and again when it has answered with a token (`isGood`); `realm`: its
 * address without a query.
 */
export type OnRealm = (met: {
  realm: string;
  verdict: RealmVerdict;
  isGood: boolean;
}) => void;

/** Returns the form in which a realm is stored and shown: its address without a query. */
export const realmText = (url: URL): string => url.origin + url.pathname;

/** Returns scheme, host and port of an address; the port only if it is not that of the scheme. */
export function endText(address: string): string {
  const { protocol, host } = new URL(address);
  return `${protocol}//${host}`;
}

/** Decides whether the password of an end may be sent to `realm`. */
export function judgeRealm(realm: URL, end: URL, accepted: Realms): RealmVerdict {
  if (realm.origin === end.origin) return "own";
  if (accepted === null) return realm.protocol === "https:" ? "first" : "refused";
  return accepted.some((each) => isRealm(new URL(each), realm)) ? "accepted" : "refused";
}

/** An accepted realm without a path stands for each one of its host and port. */
const isRealm = (accepted: URL, realm: URL): boolean =>
  accepted.origin === realm.origin &&
  (accepted.pathname === "/" || accepted.pathname === realm.pathname);
