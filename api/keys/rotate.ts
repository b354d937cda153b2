import { keyCheckOf } from "../../activities/secrets/key-check.ts";
import { createSealer, tryOpen } from "../../activities/secrets/seal.ts";
import { setKeyCheck } from "../../db/secrets/key.ts";
import { sealedValues } from "../../db/secrets/sealed.ts";
import { type Db, write } from "../../db/open.ts";

/** `sealed`: how many values the new key has sealed; `unreadable`: names of things that must be entered again. */
export type Rotated = { sealed: number; unreadable: string[] };

/** Seals everything in the database with a new key, in one transaction. What the old key does not open stays. */
export function rotateKey(db: Db, oldKey: string, newKey: string): Rotated {
  const [from, to] = [createSealer(oldKey), createSealer(newKey)];
  return write(db, (tx) => {
    const rotated: Rotated = { sealed: 0, unreadable: [] };
    for (const { owner, name, sealed, replace } of sealedValues(tx)) {
      const plain = tryOpen(from, sealed, owner);
      if (plain === null) rotated.unreadable.push(name);
      else {
        replace(tx, to.seal(plain, owner));
        rotated.sealed += 1;
      }
    }
    setKeyCheck(tx, keyCheckOf(newKey));
    return rotated;
  });
}

/** Makes `key` the key of a database whose own is lost: what that one sealed has to be entered again. */
export function adoptKey(db: Db, key: string): Rotated {
  return write(db, (tx) => {
    setKeyCheck(tx, keyCheckOf(key));
    const sealer = createSealer(key);
    const unreadable = sealedValues(tx)
      .filter(({ sealed, owner }) => tryOpen(sealer, sealed, owner) === null)
      .map(({ name }) => name);
    return { sealed: 0, unreadable };
  });
}
