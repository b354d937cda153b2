import { ContentDamage, type Seen } from "../../activities/store/damage.ts";
import type { Store } from "../../activities/store/store.ts";
import { filesOf, putDamage } from "../../db/content/damage.ts";
import type { Db } from "../../db/open.ts";
import type { Logger } from "../deps.ts";

/** What is needed to take a damaged content out of the store. */
export type ContentDeps = {
  db: Db;
  store: Store;
  now: () => number;
  logger: Pick<Logger, "info" | "warn" | "error">;
};

/**
 * Takes a damaged content out of the store and notes it: what is there goes into the quarantine, and the
 * content counts as absent until its bytes arrive again. Does nothing while the content arrives, when
 * other bytes are there by now, and when nothing needs the content any more. Returns whether it did.
 */
export function condemn({ db, store, now, logger }: ContentDeps, seen: Seen): boolean {
  const { sha256, cause } = seen;
  // Nothing else of this process runs between these steps. The note comes first, because a copy in the quarantine
  // without a note is removed; after a kill in the middle `tendDamaged` does the second step.
  if (store.isHeld(sha256) || !store.custody.isThere(seen)) return false;
  if (!putDamage(db, sha256, cause, now())) return false;
  store.custody.quarantine(seen);
  logger.error(
    { sha256, cause, ...filesOf(db, sha256) },
    cause === "MISSING"
      ? "a content is missing in the store: upload its files again, or replicate them here again"
      : "a content is damaged in the store and was moved to the quarantine: upload its files again, " +
          "or replicate them here again",
  );
  return true;
}

/** Condemns the content whose reading has thrown this error; every other error is left alone. */
export function noteDamage(deps: ContentDeps, error: unknown): void {
  if (error instanceof ContentDamage) condemn(deps, error.seen);
}
