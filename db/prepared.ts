import { databaseOf, type DbOrTx } from "./open.ts";

/**
 * Returns a function that gives the query for a database or a transaction. The query is built once
 * per database, because building it costs more than running it; transactions that `write` opened
 * use the query of their database.
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
