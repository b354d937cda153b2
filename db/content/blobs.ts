import { sql } from "drizzle-orm";
import type { ContentFacts } from "../../domain/content-digests.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { blob } from "../schema/content.ts";

export type BlobRow = typeof blob.$inferSelect;

/**
 * A lookup of a blob keeps it from being collected; it updates a `touchedDate` only if that is
 * older than this (ms).
 */
export const TOUCH_AFTER_MS = 3_600_000;

/**
 * Registers contents that are already durable in the store, with the bytes that have their digests;
 * contents that are registered already are touched, and damaged ones are so no longer. Call it in a
 * transaction, while the store holds the contents.
 */
export function putBlobs(
  tx: DbOrTx,
  blobs: readonly Omit<BlobRow, "touchedDate">[],
  now: number,
): void {
  // One statement inserts all blobs, because they arrive by the thousand each second.
  const rows = JSON.stringify(
    blobs.map(({ sha256, md5, size, inline }) => [sha256, md5, size, inline ? 1 : 0]),
  );
  tx.run(sql`
    INSERT INTO blob (sha256, md5, size, inline, touched_date)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, ${now}
    FROM json_each(${rows})
    WHERE true
    ON CONFLICT (sha256) DO UPDATE SET
      touched_date = excluded.touched_date,
      size = excluded.size,
      inline = excluded.inline,
      md5 = iif(md5 = '', excluded.md5, md5)`);
  tx.run(sql`
    DELETE FROM damage WHERE sha256 IN (SELECT value ->> 0 FROM json_each(${rows}))`);
}

/**
 * Returns which of the digests (lower-case hex) are in the store. Their contents stay for at least
 * 24 h, so that a sender can refer to them without sending the content.
 */
export function haveBlobs(db: Db, digests: string[], now: number): Set<string> {
  return write(db, (tx) => {
    const wanted = JSON.stringify(digests);
    const found = tx.all<{ sha256: string; touched: number }>(sql`
      SELECT sha256, touched_date AS touched FROM blob
      WHERE sha256 IN (SELECT value FROM json_each(${wanted}))`);
    if (found.some(({ touched }) => touched < now - TOUCH_AFTER_MS)) {
      tx.run(sql`
        UPDATE blob SET touched_date = ${now}
        WHERE sha256 IN (SELECT value FROM json_each(${wanted}))
          AND touched_date < ${now - TOUCH_AFTER_MS}`);
    }
    return new Set(found.map(({ sha256 }) => sha256));
  });
}

/**
 * Returns size and, if known, md5 of those of the contents that are in the store, by sha256
 * (lower-case hex).
 */
export function blobFacts(
  db: DbOrTx,
  digests: readonly string[],
): Map<string, ContentFacts> {
  const wanted = JSON.stringify(digests);
  const rows = db.all<{ sha256: string; md5: string; size: number }>(sql`
    SELECT sha256, md5, size FROM blob
    WHERE sha256 IN (SELECT value FROM json_each(${wanted}))`);
  return new Map(
    rows.map(({ md5, ...row }) => [row.sha256, md5 === "" ? row : { ...row, md5 }]),
  );
}

/**
 * Returns which of the digests are not registered in table `blob` and belong to no file, for the
 * search for orphaned contents. A damaged content that a file needs is none: its bytes may have come
 * back.
 */
export function unknownBlobs(db: Db, digests: string[]): string[] {
  return db
    .all<{ value: string }>(
      sql`
        SELECT value FROM json_each(${JSON.stringify(digests)})
        WHERE NOT EXISTS (SELECT 1 FROM blob WHERE sha256 = value)
          AND NOT EXISTS (SELECT 1 FROM node WHERE sha256 = value)`,
    )
    .map(({ value }) => value);
}

/** A content that the collection has met: its size in bytes, and whether it is in blobs.db. */
type Unused = Pick<BlobRow, "sha256" | "size"> & { inline: 0 | 1 };

/**
 * Carries out one step of the garbage collection, over at most `limit` blobs after the digest
 * `after`: deletes the rows that no node refers to, that were not touched since `before` (epoch
 * ms), and whose content is not held (`isHeld`). The caller then deletes the contents `removed`.
 * The next step begins after `last`; null: no blobs are left to look at. `waiting`: unused blobs that are too young or
 * held.
 */
export function collectBlobs(
  db: Db,
  {
    after,
    before,
    limit,
    isHeld,
  }: {
    after: string;
    before: number;
    limit: number;
    isHeld: (sha256: string) => boolean;
  },
): { removed: Unused[]; waiting: Unused[]; last: string | null } {
  return write(db, (tx) => {
    const page = tx.all<Unused & { old: number }>(sql`
      SELECT sha256, size, inline, touched_date < ${before} AS old FROM blob
      WHERE sha256 > ${after} ORDER BY sha256 LIMIT ${limit}`);
    const mayGo = ({ sha256, old }: Unused & { old: number }) => old && !isHeld(sha256);
    const digests = (blobs: Unused[]) => blobs.map(({ sha256 }) => sha256);
    const young = new Set(unusedOf(tx, digests(page.filter((blob) => !mayGo(blob)))));
    const gone = new Set(deleteUnused(tx, digests(page.filter(mayGo))));
    return {
      removed: page.filter(({ sha256 }) => gone.has(sha256)),
      waiting: page.filter(({ sha256 }) => young.has(sha256)),
      last: page.length < limit ? null : (page.at(-1)?.sha256 ?? null),
    };
  });
}

/** Returns those of the blobs that no node refers to. */
function unusedOf(tx: DbOrTx, digests: readonly string[]): string[] {
  return tx
    .all<{ value: string }>(
      sql`
        SELECT value FROM json_each(${JSON.stringify(digests)})
        WHERE NOT EXISTS (SELECT 1 FROM node WHERE node.sha256 = value)`,
    )
    .map(({ value }) => value);
}

/** Deletes those of the blobs that no node refers to, and returns their digests. */
function deleteUnused(tx: DbOrTx, candidates: readonly string[]): string[] {
  if (candidates.length === 0) return [];
  return tx
    .all<{ sha256: string }>(
      sql`
        DELETE FROM blob
        WHERE sha256 IN (SELECT value FROM json_each(${JSON.stringify(candidates)}))
          AND NOT EXISTS (SELECT 1 FROM node WHERE node.sha256 = blob.sha256)
        RETURNING sha256`,
    )
    .map(({ sha256 }) => sha256);
}
