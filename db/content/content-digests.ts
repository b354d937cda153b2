import type Sqlite from "better-sqlite3";
import { OTHER_ALGORITHMS, type OtherDigests } from "../../domain/content-digests.ts";

type Row = Record<(typeof OTHER_ALGORITHMS)[number], Buffer | null>;

const bytes = (hex: string | undefined) =>
  hex === undefined ? null : Buffer.from(hex, "hex");

/**
 * Opens the table in blobs.db that has further digests of contents, by sha256 (lower-case hex). The
 * digests can be computed again, so the rows need not be durable at once.
 */
export function openContentDigests(db: Sqlite.Database) {
  db.exec(`
    CREATE TABLE IF NOT EXISTS content_digest (
      sha256 BLOB PRIMARY KEY, sha512 BLOB, sha1 BLOB, md5 BLOB
    ) WITHOUT ROWID`);
  const select = db.prepare<[Buffer], Row>(
    "SELECT sha512, sha1, md5 FROM content_digest WHERE sha256 = ?",
  );
  const upsert = db.prepare(`
    INSERT INTO content_digest (sha256, sha512, sha1, md5) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
      sha512 = coalesce(excluded.sha512, sha512),
      sha1 = coalesce(excluded.sha1, sha1),
      md5 = coalesce(excluded.md5, md5)`);
  const remove = db.prepare("DELETE FROM content_digest WHERE sha256 = ?");

  return {
    get(sha256: string): OtherDigests {
      const row = select.get(Buffer.from(sha256, "hex"));
      return Object.fromEntries(
        OTHER_ALGORITHMS.flatMap((algorithm) => {
          const found = row?.[algorithm];
          return found ? [[algorithm, found.toString("hex")]] : [];
        }),
      );
    },
    /**
     * Stores digests of a content. Ignores a full disk, which is no reason to fail the caller's
     * work; throws every other error.
     */
    keep(sha256: string, { sha512, sha1, md5 }: OtherDigests): void {
      try {
        upsert.run(Buffer.from(sha256, "hex"), bytes(sha512), bytes(sha1), bytes(md5));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "SQLITE_FULL"))
          throw error;
      }
    },
    remove: (sha256: string) => void remove.run(Buffer.from(sha256, "hex")),
  };
}
