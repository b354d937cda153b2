import { createSealer, deriveKey, sign } from "./seal.ts";

/** What a database knows of its secret key: an id, which may be shown, and a text that only the key opens. */
export type KeyCheck = { id: string; check: string };

const CHECKED = "key-check";

/** Returns the id of a secret key: 12 hex digits, from which nothing of the key can be learnt. */
export const keyIdOf = (secretKey: string): string =>
  sign(deriveKey(secretKey, "key-id"), "key-id").slice(0, 12);

export const keyCheckOf = (secretKey: string): KeyCheck => ({
  id: keyIdOf(secretKey),
  check: createSealer(secretKey).seal(CHECKED, CHECKED),
});

/** Whether a secret key is the one of a database. */
export function isKey(secretKey: string, { id, check }: KeyCheck): boolean {
  if (id !== keyIdOf(secretKey)) return false;
  return opens(secretKey, check, CHECKED);
}

/** Whether a secret key opens a sealed value of an owner. */
export function opens(secretKey: string, sealed: string, owner: string): boolean {
  try {
    createSealer(secretKey).open(sealed, owner);
    return true;
  } catch {
    return false;
  }
}
