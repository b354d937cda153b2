import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startCheckpoints } from "../../db/checkpoints.ts";
import { openInlineBlobs } from "../../db/content/inline-blobs.ts";
import { openDb } from "../../db/open.ts";
import { sha256 } from "../rigs/api/content-fixture.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "checkpoints-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type State = { log: number; checkpointed: number };
const stateOf = (db: Sqlite.Database): State =>
  (db.pragma("wal_checkpoint(NOOP)") as State[])[0] ?? { log: 0, checkpointed: 0 };

test("a helper thread checkpoints both databases, and their rows exist after they are opened again", async () => {
  const [file, inlineFile] = [join(folder, "replication.db"), join(folder, "blobs.db")];
  const db = openDb(file);
  const inline = openInlineBlobs(inlineFile);
  const troubles: string[] = [];
  const checkpoints = startCheckpoints([file, inlineFile], (reason) =>
    troubles.push(reason),
  );
  const other = new Sqlite(inlineFile);
  db.$client.exec("CREATE TABLE filling (content BLOB)");
  const contents = Array.from({ length: 100 }, () => randomBytes(64 * 1024));
  const insert = db.$client.prepare("INSERT INTO filling VALUES (?)");
  for (const content of contents) insert.run(content);
  await inline.put(contents.map((content) => ({ sha256: sha256(content), content })));
  for (const one of [db.$client, other])
    await expect.poll(() => stateOf(one).checkpointed).toBeGreaterThan(0);
  expect(troubles).toEqual([]);
  other.close();
  await checkpoints.stop();
  inline.close();
  db.$client.close();
  const again = openInlineBlobs(inlineFile);
  const found = contents.map((content) => again.get(sha256(content))?.equals(content));
  again.close();
  expect(found).toEqual(contents.map(() => true));
});

test("a database that the checkpoint thread cannot open is reported and tried again, and it can stop", async () => {
  const troubles: string[] = [];
  const checkpoints = startCheckpoints([join(folder, "absent.db")], (reason) =>
    troubles.push(reason),
  );
  await expect
    .poll(() => troubles[0])
    .toMatch(/absent\.db: .*unable to open.*another attempt follows/);
  await checkpoints.stop();
});
