import {
  type Credentials,
  openCredentials,
  sealCredentials,
} from "../../activities/secrets/credentials.ts";
import type { Sealer } from "../../activities/secrets/seal.ts";
import type { Realms } from "../../domain/realms.ts";
import { text } from "../../domain/text.ts";

/** What is stored of an end's login: its address and its sealed credentials, null for none. */
export type Stored = { url: string; secret: string | null };

/** Opened credentials, and the realms that may get them. */
export type Opened = { credentials: Credentials; realms: Realms };

/** Says why stored credentials are not sent, and what to do. */
export const UNREADABLE = text(
  "the stored credentials cannot be opened with the secret key of this instance, or were sealed for another address: " +
    "enter them again",
  "无法用本实例的密钥打开已保存的凭据，或这些凭据是为其他地址保存的：请重新输入",
);

/**
 * Opens the credentials of an end; null when they cannot be opened, or must not be sent to its address. `realms`: as
 * their seal has them, which nobody can change who has the database alone; null without credentials.
 */
export function storedCredentials(
  sealer: Sealer,
  owner: string,
  { url, secret }: Stored,
): Opened | null {
  if (secret === null) return { credentials: {}, realms: null };
  try {
    const {
      end: _end,
      realms,
      ...credentials
    } = openCredentials(sealer, owner, url, secret);
    return { credentials, realms };
  } catch {
    return null;
  }
}

/**
 * Returns the credentials of an end after a change. `before`: what is kept of it, null for a new end and for one at
 * another place. A `given` text replaces a stored one, an empty one removes it. Stored ones that cannot be opened are
 * never needed: null is returned only while none is given.
 */
export function mergedCredentials(
  sealer: Sealer,
  owner: string,
  before: Stored | null,
  given: Credentials,
): Credentials | null {
  const stored =
    before === null ? {} : storedCredentials(sealer, owner, before)?.credentials;
  if (stored === undefined && Object.keys(given).length === 0) return null;
  return { ...stored, ...given };
}

/**
 * Returns the sealed credentials of an end after a change; null for none. Stored ones that cannot be opened stay as
 * they are until others are given.
 */
export function changedCredentials(
  sealer: Sealer,
  owner: string,
  end: { url: string; realms: Realms },
  before: Stored | null,
  given: Credentials,
): string | null {
  const merged = mergedCredentials(sealer, owner, before, given);
  return merged === null
    ? (before?.secret ?? null)
    : sealCredentials(sealer, owner, end, merged);
}
