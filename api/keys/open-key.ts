import { bound } from "../../activities/secrets/credentials.ts";
import { isKey, keyCheckOf, keyIdOf, opens } from "../../activities/secrets/key-check.ts";
import { createSealer } from "../../activities/secrets/seal.ts";
import { findKeyCheck, setKeyCheck } from "../../db/secrets/key.ts";
import { sealedValues, type SealedValue } from "../../db/secrets/sealed.ts";
import { opening } from "../../db/opening.ts";
import { type Db, type DbOrTx, write } from "../../db/open.ts";
import { otherKey } from "../../activities/secrets/secret-key.ts";
import type { Logger } from "../deps.ts";

/**
 * Call it when the database is opened. Throws a StartError unless `secretKey` is its key. A database without a key
 * adopts it if it opens one of the sealed values, or if there are none; then, and never again, credentials of a release
 * that did not bind them to their end are sealed anew: a later one may have been put beside another end.
 */
export function openKey(db: Db, secretKey: string, logger: Pick<Logger, "info">): void {
  const bind = opening(db.$client.name, () =>
    write(db, (tx) => {
      const values = sealedValues(tx);
      const known = findKeyCheck(tx);
      if (known !== null) {
        if (isKey(secretKey, known)) return 0;
        throw otherKey(known.id, keyIdOf(secretKey));
      }
      adopt(tx, secretKey, values);
      return bindAll(tx, secretKey, values);
    }),
  );
  if (bind > 0)
    logger.info({ credentials: bind }, "stored credentials are now bound to their ends");
}

function adopt(tx: DbOrTx, secretKey: string, values: SealedValue[]): void {
  const isOurs = values.some(({ sealed, owner }) => opens(secretKey, sealed, owner));
  if (values.length > 0 && !isOurs) throw otherKey(null, keyIdOf(secretKey));
  setKeyCheck(tx, keyCheckOf(secretKey));
}

/** Binds what is not bound yet; a value that cannot be opened stays, and its end asks for new credentials. */
function bindAll(tx: DbOrTx, secretKey: string, values: SealedValue[]): number {
  const sealer = createSealer(secretKey);
  let count = 0;
  for (const { owner, url, sealed, replace } of values) {
    if (url === null || !opens(secretKey, sealed, owner)) continue;
    const anew = URL.canParse(url) ? bound(sealer, owner, url, sealed) : null;
    if (anew === null) continue;
    replace(tx, anew);
    count += 1;
  }
  return count;
}
