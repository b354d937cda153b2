import { createSealer, deriveKey, sign, tryOpen } from "./seal.ts";

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

/** Whether a check value is that of a secret key; false without one. */
export const isKey = (secretKey: string, known: KeyCheck | null | undefined): boolean =>
  known?.id === keyIdOf(secretKey) &&
  tryOpen(createSealer(secretKey), known.check, CHECKED) !== null;

/**
 * Whether a key is that of a database: of its check value, or if it has none yet, of one of its sealed values. Any key
 * is that of a database that has neither.
 */
export function fits(
  secretKey: string,
  check: KeyCheck | null,
  values: readonly { sealed: string; owner: string }[],
): boolean {
  if (check !== null) return isKey(secretKey, check);
  const sealer = createSealer(secretKey);
  return (
    values.length === 0 ||
    values.some(({ sealed, owner }) => tryOpen(sealer, sealed, owner) !== null)
  );
}
