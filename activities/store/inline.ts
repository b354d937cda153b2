import Sqlite from "better-sqlite3";
import { existsSync } from "node:fs";

/**
 * Reads small contents by sha256 (lower-case hex). `get` returns undefined for a content that is not in
 * blobs.db.
 */
export type InlineReader = {
  get: (sha256: string) => Buffer | undefined;
  close: () => void;
};

const SELECT_INLINE = "SELECT content FROM inline_blob WHERE sha256 = ?";

/** Opens blobs.db, which the control plane writes, for reading. The file may be created after this call. */
export function openInlineReader(file: string): InlineReader {
  let opened:
    { db: Sqlite.Database; select: Sqlite.Statement<[Buffer], Buffer> } | undefined;
  function statement() {
    if (!opened && existsSync(file)) {
      const db = new Sqlite(file, { readonly: true, fileMustExist: true });
      db.pragma("busy_timeout = 5000");
      opened = { db, select: db.prepare<[Buffer], Buffer>(SELECT_INLINE).pluck() };
    }
    return opened?.select;
  }
  return {
    get: (sha256) => statement()?.get(Buffer.from(sha256, "hex")),
    close: () => void opened?.db.close(),
  };
}
