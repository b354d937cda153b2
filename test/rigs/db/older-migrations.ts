import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type Entry = { idx: number; when: number; tag: string };

/** Copies the migrations up to the number `last` below `directory`, as a release had them; returns the folder. */
export function migrationsUpTo(directory: string, last: number): string {
  const folder = join(directory, "migrations");
  cpSync("db/migrations", folder, { recursive: true });
  const file = join(folder, "meta/_journal.json");
  const journal = readJournal(folder);
  const entries = journal.entries.filter(({ idx }) => idx <= last);
  writeFileSync(file, JSON.stringify({ ...journal, entries }));
  return folder;
}

/** Returns the list of migrations of a folder. */
export const readJournal = (folder: string) =>
  JSON.parse(readFileSync(join(folder, "meta/_journal.json"), "utf8")) as {
    entries: Entry[];
  };
