import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openInlineBlobs } from "../../db/content/inline-blobs.ts";
import { openDb } from "../../db/open.ts";
import { StartError } from "../../domain/start-error.ts";
import { migrationsUpTo, readJournal } from "../rigs/db/older-migrations.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "upgrade-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const inDirectory = (...names: string[]) => join(directory, ...names);
const file = () => inDirectory("replication.db");
const copies = () => readdirSync(inDirectory("before-upgrade")).toSorted();

/** Writes a database as the release whose last migration has this number had it, with one project. */
function writeRelease(last: number): void {
  const client = new Sqlite(file());
  migrate(drizzle({ client }), { migrationsFolder: migrationsUpTo(directory, last) });
  client.exec(`
    INSERT OR IGNORE INTO project (name, display_name, created_by, created_date, last_modified_by, last_modified_date)
    VALUES ('old', 'old', 'a', 1, 'a', 1)`);
  client.close();
}

async function writeBlobs(): Promise<void> {
  const inline = openInlineBlobs(inDirectory("blobs.db"));
  await inline.put([{ sha256: "ab".repeat(32), content: Buffer.from("small") }]);
  inline.close();
}

function refusal(): string {
  try {
    openDb(file()).$client.close();
    return "none";
  } catch (error) {
    if (error instanceof StartError) return error.message;
    throw error;
  }
}

test("a copy of both databases is kept before a migration, and the copy of an earlier one is removed", async () => {
  writeRelease(11);
  await writeBlobs();
  const folders: string[] = [];
  openDb(file(), (folder) => folders.push(folder)).$client.close();
  expect(folders).toEqual([inDirectory("before-upgrade")]);
  expect(copies()).toEqual(["blobs-0011.db", "replication-0011.db"]);
  const copy = new Sqlite(inDirectory("before-upgrade", "replication-0011.db"));
  expect(copy.prepare("SELECT name FROM project").pluck().all()).toEqual(["old"]);
  expect(copy.prepare("SELECT count(*) FROM __drizzle_migrations").pluck().get()).toBe(
    12,
  );
  copy.close();
  const blobs = openInlineBlobs(inDirectory("before-upgrade", "blobs-0011.db"));
  expect(blobs.get("ab".repeat(32))?.toString()).toBe("small");
  blobs.close();
  for (const name of copies())
    if (!name.endsWith(".db")) rmSync(inDirectory("before-upgrade", name));

  // The database goes back to an earlier release with the copy, and is upgraded again from a later one.
  rmSync(file());
  writeRelease(13);
  openDb(file()).$client.close();
  expect(copies()).toEqual(["blobs-0013.db", "replication-0013.db"]);
});

test("no copy is made of a new database, nor when nothing is to be migrated", () => {
  openDb(file()).$client.close();
  openDb(file()).$client.close();
  expect(readdirSync(directory)).not.toContain("before-upgrade");
});

test("a database of a newer release is refused and stays as it is", () => {
  const db = openDb(file()).$client;
  db.prepare("INSERT INTO __drizzle_migrations (hash, created_at) VALUES ('x', ?)").run(
    9e12,
  );
  db.exec("ALTER TABLE project RENAME COLUMN display_name TO shown_name");
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
  const before = readFileSync(file());
  expect(refusal()).toMatch(
    /belongs to a newer release: .* does not know 1 of its \d+ migrations; install the newer/,
  );
  expect(readFileSync(file()).equals(before)).toBe(true);
});

test("a migration with an older time than the last one that was carried out is not skipped silently", () => {
  const db = openDb(file()).$client;
  const times = readJournal("db/migrations").entries.map(({ when }) => when);
  db.prepare("DELETE FROM __drizzle_migrations WHERE created_at = ?").run(times.at(-2));
  db.close();
  expect(refusal()).toMatch(
    /lacks a migration that is older than its last one: .*restore a backup/,
  );
});

test("the times of the migrations grow with their numbers", () => {
  const { entries } = readJournal("db/migrations");
  expect(entries.map(({ idx }) => idx)).toEqual(entries.map((_, i) => i));
  const times = entries.map(({ when }) => when);
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
});

test("without room for a copy the start is refused, and the database is not migrated", () => {
  writeRelease(11);
  writeFileSync(inDirectory("blobs.db"), "");
  // A sparse file: it takes no space, but a copy of it might.
  truncateSync(inDirectory("blobs.db"), 2 ** 43);
  expect(refusal()).toMatch(
    /a copy of them needs \d{7} MiB, but only \d+ MiB are free: free space/,
  );
  const client = new Sqlite(file());
  expect(client.prepare("SELECT count(*) FROM __drizzle_migrations").pluck().get()).toBe(
    12,
  );
  client.close();
});
