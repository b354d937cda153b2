import { endText, type Realms } from "../../domain/realms.ts";
import { type Sealer, tryOpen } from "./seal.ts";

/** What an end is entered with; `secretKey` is stored only. */
export type Credentials = { password?: string; token?: string; secretKey?: string };

/**
 * Credentials with where they may be sent: to `end` (scheme, host and port), and to the token realms that were
 * accepted. All of it is sealed together, so whoever changes the address of an end does not get its password.
 */
export type BoundCredentials = Credentials & { end: string; realms: Realms };

/** Credentials whose seal is of another end than the one that they are to be sent to. */
class OtherEnd extends Error {
  constructor(sealedEnd: string) {
    super(`they were sealed for ${sealedEnd}`);
  }
}

/**
 * Seals credentials for the end at `url`. Returns null when none is given; an empty text counts as not given. `owner`
 * names the row that they belong to.
 */
export function sealCredentials(
  sealer: Sealer,
  owner: string,
  { url, realms }: { url: string; realms: Realms },
  { password, token, secretKey }: Credentials,
): string | null {
  const given = Object.entries({ password, token, secretKey }).filter(([, text]) => text);
  if (given.length === 0) return null;
  const bound = { ...Object.fromEntries(given), end: endText(url), realms };
  return sealer.seal(JSON.stringify(bound), owner);
}

/**
 * Opens sealed credentials. Throws for another key or owner, and OtherEnd when they may not be sent to `url`. The cast
 * is safe: opening succeeds only for what `sealCredentials` has sealed.
 */
export function openCredentials(
  sealer: Sealer,
  owner: string,
  url: string,
  sealed: string,
): BoundCredentials {
  const bound = JSON.parse(sealer.open(sealed, owner)) as BoundCredentials;
  if (bound.end !== endText(url)) throw new OtherEnd(bound.end);
  return bound;
}

/**
 * Seals credentials of a release that did not bind them to an end, for the end that they stand beside. Returns null for
 * those that are bound, and those that another key or owner has sealed.
 */
export function bound(
  sealer: Sealer,
  owner: string,
  url: string,
  sealed: string,
): string | null {
  const plain = tryOpen(sealer, sealed, owner);
  if (plain === null) return null;
  const opened = JSON.parse(plain) as Partial<BoundCredentials>;
  return opened.end === undefined
    ? sealCredentials(sealer, owner, { url, realms: null }, opened)
    : null;
}
