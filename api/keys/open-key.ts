import { bound } from "../../activities/secrets/credentials.ts";
import { fits, keyCheckOf, keyIdOf } from "../../activities/secrets/key-check.ts";
import { createSealer, type Sealer } from "../../activities/secrets/seal.ts";
import { findKeyCheck, setKeyCheck } from "../../db/secrets/key.ts";
import { sealedValues, type SealedValue } from "../../db/secrets/sealed.ts";
import { opening } from "../../db/opening.ts";
import { type Db, type DbOrTx, write } from "../../db/open.ts";
import { otherKey } from "../../activities/secrets/secret-key.ts";
import type { Logger } from "../deps.ts";

/**
 * Call it when the database is opened. Throws a StartError unless `secretKey` is its key. A database without a key
 * adopts the given one if that opens a sealed value, or if nothing is sealed. Only then are credentials of a release
 * that did not bind them sealed anew for their end: one that comes later may have been put beside another end.
 */
export function openKey(db: Db, secretKey: string, logger: Pick<Logger, "info">): void {
  const bind = opening(db.$client.name, () =>
    write(db, (tx) => {
      const values = sealedValues(tx);
      const known = findKeyCheck(tx);
      if (!fits(secretKey, known, values))
        throw otherKey(known?.id ?? null, keyIdOf(secretKey));
      if (known !== null) return 0;
      setKeyCheck(tx, keyCheckOf(secretKey));
      return bindAll(tx, createSealer(secretKey), values);
    }),
  );
  if (bind > 0)
    logger.info({ credentials: bind }, "stored credentials are now bound to their ends");
}

/** Binds what is not bound yet; a value that cannot be opened stays, and its end asks for new credentials. */
function bindAll(tx: DbOrTx, sealer: Sealer, values: SealedValue[]): number {
  let count = 0;
  for (const { owner, url, sealed, replace } of values) {
    const isEnd = url !== null && URL.canParse(url);
    const anew = isEnd ? bound(sealer, owner, url, sealed) : null;
    if (anew === null) continue;
    replace(tx, anew);
    count += 1;
  }
  return count;
}
