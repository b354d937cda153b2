import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import Sqlite from "better-sqlite3";
import { blobFile, layout } from "../../../activities/store/layout.ts";

/** Ways in which a disk loses a content; a lost inline content may also leave a wrong file in its place. */
export const DAMAGES = [
  "a flipped byte",
  "a cut end",
  "no bytes",
  "a file instead",
] as const;
type Damage = (typeof DAMAGES)[number];

/** Damages a content of the store below `dataDir`, in blobs.db or in its file, beside a running service. */
export function damageContent(dataDir: string, sha256: string, damage: Damage): void {
  const file = blobFile(layout(dataDir), sha256);
  const isFile = existsSync(file);
  if (damage === "a file instead") {
    const bytes = isFile ? readFileSync(file) : inlineOf(dataDir, sha256);
    if (!isFile) changeInline(dataDir, sha256, null);
    mkdirSync(dirname(file), { recursive: true });
    return writeFileSync(file, flipped(bytes));
  }
  if (!isFile) {
    const bytes = inlineOf(dataDir, sha256);
    const changed = { "a flipped byte": flipped(bytes), "a cut end": bytes.subarray(1) };
    return changeInline(dataDir, sha256, damage === "no bytes" ? null : changed[damage]);
  }
  if (damage === "no bytes") return rmSync(file);
  const bytes = readFileSync(file);
  if (damage === "a cut end") truncateSync(file, bytes.length - 1);
  else writeFileSync(file, flipped(bytes));
}

function flipped(bytes: Buffer): Buffer {
  const wrong = Buffer.from(bytes);
  const at = Math.floor(bytes.length / 2);
  wrong[at] = (wrong[at] ?? 0) ^ 1;
  return wrong;
}

function open<T>(dataDir: string, work: (db: Sqlite.Database) => T): T {
  const db = new Sqlite(join(dataDir, "blobs.db"), { timeout: 5_000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}

const inlineOf = (dataDir: string, sha256: string): Buffer =>
  open(dataDir, (db) =>
    db
      .prepare<[Buffer], Buffer>("SELECT content FROM inline_blob WHERE sha256 = ?")
      .pluck()
      .get(Buffer.from(sha256, "hex")),
  ) ?? Buffer.alloc(0);

function changeInline(dataDir: string, sha256: string, content: Buffer | null): void {
  const key = Buffer.from(sha256, "hex");
  open(dataDir, (db) =>
    content === null
      ? db.prepare("DELETE FROM inline_blob WHERE sha256 = ?").run(key)
      : db
          .prepare("UPDATE inline_blob SET content = ? WHERE sha256 = ?")
          .run(content, key),
  );
}
