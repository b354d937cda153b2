import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { StartError } from "../domain/start-error.ts";
import { opening } from "./opening.ts";

/**
 * Locks the data directory for this process until `release` is called or the process ends, in
 * whatever way: the kernel holds the lock. Throws when another process holds the lock; the error
 * names that process if its id can be read.
 */
export function lockDataDir(dataDir: string): { release: () => void } {
  const holder = join(dataDir, "lock.pid");
  // The timeout is for a process that held the lock, was killed a moment ago and is still being
  // cleaned up.
  const lock = open(join(dataDir, "lock.db"));
  try {
    lock.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    lock.close();
    if (!(error instanceof Sqlite.SqliteError) || error.code !== "SQLITE_BUSY")
      throw error;
    throw new StartError(
      `${dataDir} is in use by process ${pidIn(holder)}: stop that process, or set another DATA_DIR for this one`,
      { cause: error },
    );
  }
  tellHolder(holder);
  return { release: () => void lock.close() };
}

/** Opens a database; throws a StartError when SQLite itself is not there for this Node. */
function open(file: string): Sqlite.Database {
  try {
    return opening(file, () => new Sqlite(file, { timeout: 2_000 }));
  } catch (error) {
    if (error instanceof StartError || error instanceof Sqlite.SqliteError) throw error;
    throw new StartError(
      `better-sqlite3 cannot be loaded by Node ${process.version}: run npm rebuild better-sqlite3, ` +
        "or npm ci with install scripts allowed",
      { cause: error },
    );
  }
}

/** Notes this process as the holder, for the message of a second start. Without the note the lock holds as well. */
function tellHolder(file: string): void {
  try {
    writeFileSync(file, `${process.pid}\n`);
  } catch {
    // A full disk, for example: a second start then says "(unknown)".
  }
}

function pidIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim() || "(unknown)";
  } catch {
    return "(unknown)";
  }
}
