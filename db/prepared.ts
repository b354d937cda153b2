import { databaseOf, type DbOrTx } from "./open.ts";

/**
 * Returns a query that is built once per database instead of at each call, because building a query
 * costs more than running it. Transactions of the database share the query.
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
