import Sqlite from "better-sqlite3";
import { ownCheckpoints } from "../checkpoints.ts";
import { openContentDigests } from "./content-digests.ts";
import { createSync } from "../durable.ts";
import { opening } from "../opening.ts";

type Put = {
  contents: { sha256: string; content: Uint8Array }[];
  done: () => void;
  failed: (error: unknown) => void;
};

/**
 * Small contents in a database file of their own, blobs.db. Only the control plane writes this
 * file, workers read it at the same time. Digests are lower-case hex.
 */
type InlineBlobs = {
  get: (sha256: string) => Buffer | undefined;
  /** Returns the number of bytes without reading them; undefined when there is no such content. */
  sizeOf: (sha256: string) => number | undefined;
  /**
   * Stores contents, in place of other bytes under the same digests; they are durable when the promise
   * resolves. It rejects when they cannot be stored. Calls at about the same time may share a transaction.
   */
  put: (contents: { sha256: string; content: Uint8Array }[]) => Promise<void>;
  remove: (sha256: string) => void;
  /** Like `remove`, but the further digests stay, and without such a content nothing is written. */
  drop: (sha256: string) => void;
  /** Returns the digests of the inline contents that begin with these two hex digits. */
  withPrefix: (prefix: string) => string[];
  /** The known digests, besides the sha256, of contents of any size. */
  digests: Pick<ReturnType<typeof openContentDigests>, "get" | "keep">;
  close: () => void;
};

const PAGE_BYTES = 16_384;
const MAX_TRANSACTION = 2 * 1024 * 1024;

export function openInlineBlobs(file: string): InlineBlobs {
  const db = opening(file, () => open(file));
  const sync = createSync(file);
  const digests = openContentDigests(db);
  const select = db
    .prepare<[Buffer], Buffer>("SELECT content FROM inline_blob WHERE sha256 = ?")
    .pluck();
  const length = db
    .prepare<[Buffer], number>("SELECT length(content) FROM inline_blob WHERE sha256 = ?")
    .pluck();
  // The digests of all contents that come here were verified, those of the present ones long ago at best.
  const insert = db.prepare(`
    INSERT INTO inline_blob (sha256, content) VALUES (?, ?)
    ON CONFLICT (sha256) DO UPDATE SET content = excluded.content
    WHERE content IS NOT excluded.content`);
  const remove = db.prepare("DELETE FROM inline_blob WHERE sha256 = ?");
  const range = db
    .prepare<[Buffer, Buffer], Buffer>(
      "SELECT sha256 FROM inline_blob WHERE sha256 BETWEEN ? AND ?",
    )
    .pluck();
  const insertAll = db.transaction((puts: Put[]) => {
    for (const { sha256, content } of puts.flatMap(({ contents }) => contents))
      insert.run(Buffer.from(sha256, "hex"), content);
  });
  let waiting: Put[] = [];

  async function write(): Promise<void> {
    const puts = takeSome(waiting);
    if (waiting.length > 0) setImmediate(() => void write());
    try {
      insertAll.immediate(puts);
      await sync();
      for (const { done } of puts) done();
    } catch (error) {
      for (const { failed } of puts) failed(error);
    }
  }

  const sizeOf = (sha256: string) => length.get(Buffer.from(sha256, "hex"));

  return {
    get: (sha256) => select.get(Buffer.from(sha256, "hex")),
    sizeOf,
    put: (contents) =>
      new Promise((done, failed) => {
        if (waiting.length === 0) setImmediate(() => void write());
        waiting.push({ contents, done, failed });
      }),
    digests,
    drop(sha256) {
      if (sizeOf(sha256) !== undefined) remove.run(Buffer.from(sha256, "hex"));
    },
    remove(sha256) {
      remove.run(Buffer.from(sha256, "hex"));
      digests.remove(sha256);
    },
    withPrefix: (prefix) =>
      range
        .all(Buffer.from(prefix, "hex"), Buffer.from(prefix.padEnd(64, "f"), "hex"))
        .map((key) => key.toString("hex")),
    close: () => void db.close(),
  };
}

/**
 * Takes the first waiting puts off the list, up to and including the one that exceeds MAX_TRANSACTION
 * bytes: a longer transaction would hold up others.
 */
function takeSome(waiting: Put[]): Put[] {
  let bytes = 0;
  const end = waiting.findIndex(
    ({ contents }) =>
      (bytes += contents.reduce((sum, { content }) => sum + content.length, 0)) >
      MAX_TRANSACTION,
  );
  return waiting.splice(0, end < 0 ? waiting.length : end + 1);
}

function open(file: string): Sqlite.Database {
  const db = new Sqlite(file);
  // This page size lets several contents of some KiB share a page.
  db.pragma(`page_size = ${PAGE_BYTES}`);
  db.pragma("journal_mode = WAL");
  db.pragma(ownCheckpoints(PAGE_BYTES));
  db.pragma("synchronous = NORMAL");
  db.pragma("busy_timeout = 5000");
  db.exec(
    "CREATE TABLE IF NOT EXISTS inline_blob (sha256 BLOB NOT NULL UNIQUE, content BLOB NOT NULL)",
  );
  return db;
}
