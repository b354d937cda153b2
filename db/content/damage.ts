import { asc, eq, gt, sql } from "drizzle-orm";
import type { DamageCause } from "../../domain/vocabulary.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { prepared } from "../prepared.ts";
import { blob, damage } from "../schema/content.ts";

const registered = prepared((db) =>
  db
    .select({ size: blob.size })
    .from(blob)
    .where(eq(blob.sha256, sql.placeholder("sha256")))
    .prepare(),
);

/** Returns the size of a content that counts as present; undefined: it does not, so nobody may get it. */
export const sizeOfBlob = (db: DbOrTx, sha256: string): number | undefined =>
  registered(db).get({ sha256 })?.size;

/** Returns what is wrong with a content; undefined: nothing is known to be. */
export const causeOf = (db: DbOrTx, sha256: string): DamageCause | undefined =>
  db.select({ cause: damage.cause }).from(damage).where(eq(damage.sha256, sha256)).get()
    ?.cause;

/**
 * Notes that a content is gone or wrong, so that it counts as absent from now on. Returns false if it is
 * not registered: somebody has noted that before, or the content is not needed any more.
 */
export function putDamage(
  db: Db,
  sha256: string,
  cause: DamageCause,
  now: number,
): boolean {
  return write(db, (tx) => {
    const gone = tx
      .delete(blob)
      .where(eq(blob.sha256, sha256))
      .returning({ size: blob.size })
      .get();
    if (!gone) return false;
    tx.insert(damage)
      .values({ sha256, size: gone.size, cause, foundDate: now })
      .onConflictDoUpdate({ target: damage.sha256, set: { cause, foundDate: now } })
      .run();
    return true;
  });
}

/** Registers a damaged content again, because the right bytes are in the store. */
export function healDamage(
  db: Db,
  sha256: string,
  { inline, now }: { inline: boolean; now: number },
): void {
  write(db, (tx) => {
    const row = tx.delete(damage).where(eq(damage.sha256, sha256)).returning().get();
    if (!row) return;
    tx.insert(blob)
      .values({ sha256, md5: "", size: row.size, inline, touchedDate: now })
      .onConflictDoNothing()
      .run();
  });
}

type DamageRow = typeof damage.$inferSelect;

/** Returns some damaged contents in the order of their digests, beginning after `after`. */
export const damageAfter = (db: DbOrTx, after: string, limit: number): DamageRow[] =>
  db
    .select()
    .from(damage)
    .where(gt(damage.sha256, after))
    .orderBy(asc(damage.sha256))
    .limit(limit)
    .all();

/** Forgets a damaged content if no file needs it any more; returns whether. */
export const forgetDamage = (db: Db, sha256: string): boolean =>
  db.run(sql`
    DELETE FROM damage
    WHERE sha256 = ${sha256} AND NOT EXISTS (SELECT 1 FROM node WHERE node.sha256 = ${sha256})`)
    .changes > 0;

/** A damaged content and the files that need it; `files`: the first few of them, as project/repository/path. */
type DamagedFiles = Pick<DamageRow, "sha256" | "cause" | "foundDate"> & {
  files: string[];
  count: number;
};

/**
 * Number of damaged contents and of their files that are named; the others are counted, contents up to
 * a limit.
 */
const NAMED = { contents: 100, files: 3 };
const COUNTED = 10_000;

/** Returns damaged contents that files need, and their number; only some of many are named. */
export function damagedFiles(db: DbOrTx): { total: number; named: DamagedFiles[] } {
  const needed = sql`EXISTS (SELECT 1 FROM node WHERE node.sha256 = damage.sha256)`;
  const total =
    db.get<{ n: number }>(sql`
      SELECT count(*) AS n FROM (SELECT 1 FROM damage WHERE ${needed} LIMIT ${COUNTED})`)
      ?.n ?? 0;
  const rows = db.all<Pick<DamageRow, "sha256" | "cause"> & { found: number }>(sql`
    SELECT sha256, cause, found_date AS found FROM damage WHERE ${needed}
    LIMIT ${NAMED.contents}`);
  const named = rows.map(({ found, ...row }) => ({
    ...row,
    foundDate: found,
    ...filesOf(db, row.sha256),
  }));
  return { total, named };
}

/** Returns, one after the other, the contents that files need and that are not registered. */
export function* unregisteredContents(db: DbOrTx): Generator<string, void> {
  for (let after = ""; ;) {
    const row = db.get<{ sha256: string } | undefined>(sql`
      SELECT sha256 FROM node
      WHERE sha256 > ${after} AND NOT EXISTS (SELECT 1 FROM blob WHERE blob.sha256 = node.sha256)
      ORDER BY sha256 LIMIT 1`);
    if (!row) return;
    yield row.sha256;
    after = row.sha256;
  }
}

/** Returns the first few files that have a content, and the number of all. */
export function filesOf(
  db: DbOrTx,
  sha256: string,
): Pick<DamagedFiles, "files" | "count"> {
  const files = db.all<{ file: string }>(sql`
    SELECT repository.project_id || '/' || repository.name || node.full_path AS file
    FROM node JOIN repository ON repository.id = node.repository_id
    WHERE node.sha256 = ${sha256} ORDER BY node.id LIMIT ${NAMED.files}`);
  const all = db.get<{ n: number }>(
    sql`SELECT count(*) AS n FROM node WHERE sha256 = ${sha256}`,
  );
  return { files: files.map(({ file }) => file), count: all?.n ?? 0 };
}
