import { databaseOf, type DbOrTx } from "./open.ts";

/**
 * A query that is built once for a database instead of at each call, within its transactions, too: building costs more
 * than running it.
 */
export function prepared<Q>(build: (db: DbOrTx) => Q): (db: DbOrTx) => Q {
  const built = new WeakMap<DbOrTx, Q>();
  return (tx) => {
    const db = databaseOf(tx);
    const known = built.get(db);
    if (known !== undefined) return known;
    const query = build(db);
    built.set(db, query);
    return query;
  };
}
