import { existsSync } from "node:fs";
import Sqlite from "better-sqlite3";
import { opening } from "../opening.ts";

/** What a database says of its secret key, before it is opened: its check value, and some values that it sealed. */
type KnownKey = {
  check: { id: string; check: string } | null;
  sealed: { sealed: string; owner: string }[];
};

const SEALED = `
  SELECT secret AS sealed, 'cluster:' || id AS owner FROM cluster WHERE secret IS NOT NULL
  UNION ALL
  SELECT secret, 'repository:' || project_id || '/' || name FROM repository WHERE secret IS NOT NULL`;
const CHECK = `
  SELECT i.value AS id, c.value AS "check" FROM instance i, instance c
  WHERE i.key = 'secretKeyId' AND c.key = 'secretKeyCheck'`;

/**
 * Reads the key's traces in a database; null when there is no database yet, and for one whose tables this release does
 * not know: opening it says why.
 */
export function peekKey(file: string): KnownKey | null {
  if (!existsSync(file)) return null;
  return opening(file, () => {
    const client = new Sqlite(file, { fileMustExist: true });
    try {
      const { n } = client
        .prepare("SELECT count(*) AS n FROM sqlite_master WHERE name = 'instance'")
        .get() as { n: number };
      if (n === 0) return null;
      return {
        check: (client.prepare(CHECK).get() as KnownKey["check"] | undefined) ?? null,
        sealed: client.prepare(SEALED).all() as KnownKey["sealed"],
      };
    } catch (error) {
      if (error instanceof Sqlite.SqliteError && error.code === "SQLITE_ERROR")
        return null;
      throw error;
    } finally {
      client.close();
    }
  });
}
