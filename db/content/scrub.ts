import { asc, count, eq, gt } from "drizzle-orm";
import type { Db, DbOrTx } from "../open.ts";
import { blob, scrub } from "../schema/content.ts";

const ONLY = 1;

/** The place of the scrub (table `scrub`). */
export type ScrubPlace = Omit<typeof scrub.$inferSelect, "id">;

/** Returns where the scrub stands; without a scrub before, the beginning of a round that begins `now`. */
export function scrubPlace(db: DbOrTx, now: number): ScrubPlace {
  const row = db.select().from(scrub).where(eq(scrub.id, ONLY)).get();
  return row ?? { position: "", roundDate: now, doneDate: null };
}

export function putScrubPlace(db: Db, place: ScrubPlace): void {
  db.insert(scrub)
    .values({ id: ONLY, ...place })
    .onConflictDoUpdate({ target: scrub.id, set: place })
    .run();
}

/** Returns the number of registered contents. */
export const countBlobs = (db: DbOrTx): number =>
  db.select({ n: count() }).from(blob).get()?.n ?? 0;

/** Returns the next registered content after a digest; undefined: there is none. */
export const nextBlob = (
  db: DbOrTx,
  after: string,
): { sha256: string; size: number } | undefined =>
  db
    .select({ sha256: blob.sha256, size: blob.size })
    .from(blob)
    .where(gt(blob.sha256, after))
    .orderBy(asc(blob.sha256))
    .limit(1)
    .get();
