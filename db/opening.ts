import Sqlite from "better-sqlite3";
import { StartError } from "../domain/start-error.ts";

/** What to do about a database that cannot be opened, by the beginning of SQLite's code. */
const REMEDIES = [
  { code: "SQLITE_NOTADB", remedy: "restore it from a backup" },
  { code: "SQLITE_CORRUPT", remedy: "restore it from a backup" },
  { code: "SQLITE_BUSY", remedy: "end the other program that has it open" },
  { code: "SQLITE_FULL", remedy: "free space on its disk" },
  { code: "SQLITE_CANTOPEN", remedy: "let this user read and write it and its folder" },
  { code: "SQLITE_READONLY", remedy: "let this user read and write it and its folder" },
  { code: "SQLITE_IOERR", remedy: "check its disk" },
];

/**
 * Runs `open`, which opens the database `file`. Throws a StartError that names the file and the remedy when the
 * file is the trouble.
 */
export function opening<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof Sqlite.SqliteError)) throw error;
    const known = REMEDIES.find(({ code }) => error.code.startsWith(code));
    if (known === undefined) throw error;
    throw new StartError(`${file} cannot be opened: ${error.message}; ${known.remedy}`, {
      cause: error,
    });
  }
}
