import { fileURLToPath } from "node:url";
import Sqlite from "better-sqlite3";
import { drizzle, type BetterSQLite3Database } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { isComputed } from "../domain/repository-types.ts";
import type { RepositoryType } from "../domain/vocabulary.ts";
import { matchesWildcard } from "../domain/wildcard.ts";
import { opening } from "./opening.ts";
import { ownCheckpoints } from "./checkpoints.ts";
import { prepareUpgrade } from "./upgrade.ts";
import * as content from "./schema/content.ts";
import * as packages from "./schema/packages.ts";
import * as plans from "./schema/plans.ts";
import * as records from "./schema/records.ts";
import * as tasks from "./schema/tasks.ts";
import * as totals from "./schema/totals.ts";
import * as workers from "./schema/workers.ts";

const schema = {
  ...content,
  ...packages,
  ...tasks,
  ...plans,
  ...records,
  ...totals,
  ...workers,
};

export type Db = BetterSQLite3Database<typeof schema> & { $client: Sqlite.Database };
/**
 * The database or a transaction, for functions that may run inside a transaction or outside of one.
 */
export type DbOrTx = Pick<
  Db,
  "select" | "insert" | "update" | "delete" | "run" | "all" | "get"
>;

const MIGRATIONS = fileURLToPath(new URL("./migrations", import.meta.url));

/**
 * Opens the database of configurations and records and migrates it to the current schema. Only the
 * control plane calls this (docs/decisions.md#processes). Throws a StartError for a database of a
 * newer release. `copying` is told the folder when a copy is made before a migration.
 */
export const openDb = (
  file: string,
  copying: (folder: string) => void = () => undefined,
): Db => opening(file, () => openFile(file, copying));

/** Opens a database that exists as it is, for reading: with whatever schema it has. */
export const openAsIs = (file: string): Db =>
  opening(file, () => {
    const client = new Sqlite(file, { fileMustExist: true });
    client.pragma("query_only = ON");
    return drizzle({ client, schema, casing: "snake_case" });
  });

function openFile(file: string, copying: (folder: string) => void): Db {
  const client = new Sqlite(file);
  client.pragma("journal_mode = WAL");
  client.pragma("synchronous = NORMAL");
  client.pragma(ownCheckpoints(Number(client.pragma("page_size", { simple: true }))));
  client.pragma("busy_timeout = 5000");
  client.pragma("temp_store = MEMORY");
  client.pragma("cache_size = -40000");
  client.function("wildcard", { deterministic: true }, (pattern, name) =>
    Number(matchesWildcard(String(pattern), String(name))),
  );
  // The cast is safe: statements pass only repository types as `type`.
  client.function("is_computed", { deterministic: true }, (type, path) =>
    Number(isComputed(type as RepositoryType, String(path))),
  );
  const db = drizzle({ client, schema, casing: "snake_case" });
  prepareUpgrade({ client, file, migrationsFolder: MIGRATIONS, copying });
  migrate(db, { migrationsFolder: MIGRATIONS });
  client.pragma("foreign_keys = ON");
  return db;
}

/**
 * Runs `work` as one write transaction and returns its result; an error of `work` rolls the
 * transaction back. The lock is taken first, so that what `work` reads is still true when it
 * writes. Inside another transaction of the database, `work` becomes a part of that one, and can be
 * rolled back alone.
 */
export function write<T>(db: Db, work: (tx: DbOrTx) => T): T {
  const run = (tx: DbOrTx) => {
    databases.set(tx, db);
    return work(tx);
  };
  return db.transaction(run, { behavior: "immediate" });
}

const databases = new WeakMap<DbOrTx, Db>();

/**
 * Returns the database in which `write` opened the transaction `tx`; every other `tx` is returned
 * unchanged. A transaction and its database share one connection.
 */
export const databaseOf = (tx: DbOrTx): DbOrTx => databases.get(tx) ?? tx;
