import type { Pace } from "../../activities/store/file-digest.ts";
import {
  causeOf,
  damageAfter,
  forgetDamage,
  healDamage,
} from "../../db/content/damage.ts";
import type { ContentDeps } from "../content/damage.ts";

const PAGE = 100;

/** `breathe` gives other work its turn, and throws when this process is about to end. */
type Tending = ContentDeps & { breathe: () => Promise<void>; pace: Pace };

/**
 * Looks after damaged contents: forgets those that no file needs any more, and registers those again whose
 * right bytes are back in the store, such as after a disk was missing. With `copies` it also reads what is
 * in the quarantine, and puts it back if it is right after all. Then it removes what is kept there of
 * contents that are no longer damaged.
 */
export async function tendDamaged(tending: Tending, copies: boolean): Promise<void> {
  const { db, store, breathe } = tending;
  for (let after: string | undefined = ""; after !== undefined; await breathe()) {
    const page = damageAfter(db, after, PAGE);
    for (const { sha256 } of page) {
      if (forgetDamage(db, sha256)) continue;
      await heal(tending, sha256, copies);
      await breathe();
    }
    after = page.at(-1)?.sha256;
  }
  for (const sha256 of await store.custody.quarantined()) {
    if (causeOf(db, sha256) === undefined) await store.custody.dropCopy(sha256);
    await breathe();
  }
}

async function heal(
  { db, store, now, logger, pace }: Tending,
  sha256: string,
  copies: boolean,
): Promise<void> {
  const { custody } = store;
  const seen = await custody.examine(sha256, pace);
  // A kill came between the note and this step.
  if (seen?.cause === "WRONG" && !store.isHeld(sha256)) custody.quarantine(seen);
  const isBack = seen === null || (copies && (await custody.putBack(sha256, pace)));
  if (!isBack) return;
  healDamage(db, sha256, { inline: custody.isInline(sha256), now: now() });
  logger.info({ sha256 }, "a damaged content is whole again");
}
