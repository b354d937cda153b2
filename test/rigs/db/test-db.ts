import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { openDb, type Db } from "../../../db/open.ts";

/** Opens an empty database in its own directory, with all migrations. */
export const openTestDb = (): Db =>
  openDb(join(mkdtempSync(join(tmpdir(), "db-test-")), "replication.db"));

/** Closes a database of `openTestDb` and deletes its directory. */
export function removeTestDb(db: Db): void {
  db.$client.close();
  rmSync(dirname(db.$client.name), { recursive: true, force: true });
}
