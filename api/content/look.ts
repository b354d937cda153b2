import { missing, NOWHERE, wrong } from "../../activities/store/damage.ts";
import { blobFacts } from "../../db/content/blobs.ts";
import { causeOf, sizeOfBlob } from "../../db/content/damage.ts";
import { turn } from "../../db/turns.ts";
import { condemn, type ContentDeps } from "./damage.ts";

/** Number of contents to look at before other work gets its turn. */
const STEP = 128;

/**
 * Looks at the store for contents (sha256 in lower-case hex), without reading them: those that are gone,
 * or have another size, count as absent afterwards. Call it before an answer that says which contents are
 * present, so that senders send those that are not.
 */
export async function lookAtContents(
  deps: ContentDeps,
  digests: Iterable<string>,
): Promise<void> {
  const all = [...new Set(digests)];
  for (let at = 0; at < all.length; at += STEP) {
    if (at > 0) await turn("answer");
    const facts = [...blobFacts(deps.db, all.slice(at, at + STEP)).values()];
    const looks = facts.map(({ sha256, size }) => deps.store.custody.look(sha256, size));
    for (const seen of await Promise.all(looks)) if (seen) condemn(deps, seen);
  }
}

/** Looks at the store for one content; throws a ContentDamage unless it is present. */
export async function mustHaveContent(deps: ContentDeps, sha256: string): Promise<void> {
  await lookAtContents(deps, [sha256]);
  mustCount(deps, sha256);
}

/** Throws a ContentDamage for a content that does not count as present. What lies there must not be served. */
export function mustCount({ db }: Pick<ContentDeps, "db">, sha256: string): void {
  if (sizeOfBlob(db, sha256) !== undefined) return;
  throw causeOf(db, sha256) === "WRONG" ? wrong(sha256, NOWHERE) : missing(sha256);
}
