import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { StartError } from "../domain/start-error.ts";

/** The folder below DATA_DIR with the copy of the databases before the last upgrade. */
const COPIES = "before-upgrade";
/** Free bytes that must be left beside a copy, for the upgrade itself. */
const SPARE = 64 * 1024 ** 2;
const MIB = 1024 ** 2;
const PARTIAL = ".partial";

type Upgrade = {
  client: Sqlite.Database;
  /** File of the database; blobs.db lies beside it. */
  file: string;
  migrationsFolder: string;
  /** Is told that a copy begins, which may take minutes. */
  copying: (folder: string) => void;
};

/**
 * Call it before a database is migrated. Throws a StartError for a database of another release, whose
 * migrations this one does not know, or lacks between those that were carried out. Before an existing
 * database is migrated, it is copied with blobs.db; without room for that, throws a StartError.
 */
export function prepareUpgrade({
  client,
  file,
  migrationsFolder,
  copying,
}: Upgrade): void {
  const done = migrationsOf(client);
  if (done.length === 0) return;
  const known = readMigrationFiles({ migrationsFolder }).map(
    ({ folderMillis }) => folderMillis,
  );
  mustBeKnown(file, done, known);
  const isDone = new Set(done);
  const open = known.filter((each) => !isDone.has(each));
  const last = Math.max(...done);
  if (open.some((each) => each < last))
    throw new StartError(
      `${file} lacks a migration that is older than its last one: it was made by a release ` +
        "between this one and its predecessor; restore a backup, or install the release that made it",
    );
  if (open.length === 0) return;
  copying(join(dirname(file), COPIES));
  copyDatabases(client, file, numberOf(done.length - 1));
}

/** Returns the times (epoch ms) by which drizzle knows the migrations that were carried out. */
function migrationsOf(client: Sqlite.Database): number[] {
  const table = client
    .prepare("SELECT 1 FROM sqlite_master WHERE name = '__drizzle_migrations'")
    .get();
  if (table === undefined) return [];
  return client
    .prepare<[], number>("SELECT created_at FROM __drizzle_migrations")
    .pluck()
    .all()
    .map(Number);
}

function mustBeKnown(file: string, done: number[], known: number[]): void {
  const isKnown = new Set(known);
  const unknown = done.filter((each) => !isKnown.has(each)).length;
  if (unknown === 0) return;
  throw new StartError(
    `${file} belongs to a newer release: this one does not know ${unknown} of its ${done.length} migrations; ` +
      `install the newer release again, or go back with the copy in ${COPIES}/ (docs/operations.md, "Going back")`,
  );
}

const numberOf = (index: number): string => String(index).padStart(4, "0");

/** Copies both databases, named by the last migration that they have, and removes earlier copies. */
function copyDatabases(client: Sqlite.Database, file: string, version: string): void {
  const [dataDir, folder] = [dirname(file), join(dirname(file), COPIES)];
  const blobs = join(dataDir, "blobs.db");
  mustHaveRoom(dataDir, [file, blobs]);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const made = [copyOf(folder, file, version), copyOf(folder, blobs, version)];
  try {
    copy(client, made[0] ?? "");
    if (existsSync(blobs)) copyFile(blobs, made[1] ?? "");
  } catch (error) {
    for (const copied of made) rmSync(copied + PARTIAL, { force: true });
    throw isFull(error) ? noRoom(dataDir, error) : error;
  }
  for (const name of readdirSync(folder))
    if (!made.includes(join(folder, name))) rmSync(join(folder, name), { force: true });
}

const copyOf = (folder: string, file: string, version: string): string =>
  join(folder, `${basename(file, ".db")}-${version}.db`);

function copyFile(file: string, target: string): void {
  const db = new Sqlite(file, { fileMustExist: true });
  try {
    copy(db, target);
  } finally {
    db.close();
  }
}

/** Copies a database as it is now; the copy appears whole or not at all. */
function copy(db: Sqlite.Database, target: string): void {
  rmSync(target + PARTIAL, { force: true });
  db.prepare("VACUUM INTO ?").run(target + PARTIAL);
  renameSync(target + PARTIAL, target);
}

function mustHaveRoom(dataDir: string, files: string[]): void {
  const size = files
    .flatMap((file) => [file, `${file}-wal`])
    .reduce(
      (sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  const { bavail, bsize } = statfsSync(dataDir);
  const free = bavail * bsize;
  if (free >= size + SPARE) return;
  throw new StartError(
    `the databases in ${dataDir} must be upgraded, and a copy of them needs ` +
      `${Math.ceil((size + SPARE) / MIB)} MiB, but only ${Math.floor(free / MIB)} MiB are free: free space on its disk`,
  );
}

const isFull = (error: unknown): boolean =>
  error instanceof Sqlite.SqliteError && error.code === "SQLITE_FULL";

const noRoom = (dataDir: string, cause: unknown) =>
  new StartError(
    `the databases in ${dataDir} must be upgraded, and the disk became full while they were copied: free space on it`,
    { cause },
  );
