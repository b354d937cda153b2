import type { Pace } from "../../activities/store/file-digest.ts";
import { hashTurn } from "../../activities/store/hash-turns.ts";
import { sizeOfBlob } from "../../db/content/damage.ts";
import { condemn, type ContentDeps } from "./damage.ts";

/**
 * Reads a whole content and condemns it if it is gone or wrong. Returns whether the content is right; a
 * content that is not registered is not.
 */
export async function examineContent(
  deps: ContentDeps,
  sha256: string,
  pace: Pace = hashTurn,
): Promise<boolean> {
  if (sizeOfBlob(deps.db, sha256) === undefined) return false;
  const seen = await deps.store.custody.examine(sha256, pace);
  if (seen === null) return true;
  condemn(deps, seen);
  return false;
}
