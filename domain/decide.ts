import type { Part } from "./artifact.ts";
import { compareContent, type KnownContent } from "./content-digests.ts";
import type { ComparedBy, CompareMode, ConflictStrategy } from "./vocabulary.ts";

/**
 * The content at the place of a part at the target. `modifiedDate`: its last change (epoch ms), if the
 * target states it.
 */
export type Fact = KnownContent & { modifiedDate?: number | null };

/** `unread`: unknown until the bytes are read and compared. */
export type PartComparison =
  { kind: "absent" | "different" | "unread" } | { kind: "same"; by: ComparedBy };

/**
 * Compares a part with the content at its place at the target (`there` null: no content). Digests or
 * different sizes decide if they can. Else mode READ gives "unread"; equal sizes count as the same content
 * in mode SIZE, and in mode AUTO if the target is not older than the source; else SIZE gives "different"
 * and AUTO "unread".
 */
export function comparePart(
  part: Part,
  there: Fact | null,
  compare: CompareMode,
): PartComparison {
  if (there === null) return { kind: "absent" };
  const comparison = compareContent(part, there);
  if (comparison === "same") return { kind: "same", by: "DIGEST" };
  if (comparison === "different") return { kind: "different" };
  const sizesKnown = part.size !== null && there.size !== null;
  if (compare === "READ") return { kind: "unread" };
  if (compare === "SIZE")
    return sizesKnown ? { kind: "same", by: "SIZE" } : { kind: "different" };
  const isNewer =
    (there.modifiedDate ?? -Infinity) >= (part.origin?.lastModifiedDate ?? Infinity);
  return sizesKnown && isNewer ? { kind: "same", by: "SIZE" } : { kind: "unread" };
}

type PartRules = {
  conflictStrategy: ConflictStrategy;
  /** This execution may have written the content that is now at the target. */
  mayHaveSent: boolean;
};

/** Properties of a target that limit what can be done with content that is already there. */
export type TargetNature = {
  /** An interrupted write leaves nothing behind, so content at the target is complete. */
  atomic: boolean;
  /** A version that exists at the target never changes. */
  immutable: boolean;
};

/**
 * `lacking`: indexes of the parts to write; `replaces`: the write replaces other content, in a conflict;
 * `at`: index of the first part that has other content at the target.
 */
export type ArtifactDecision =
  | { kind: "same" }
  | { kind: "write"; lacking: number[]; replaces: boolean }
  | { kind: "leave" | "conflict" | "immutable"; at: number };

/**
 * Decides what to do with an artifact from the comparisons of its parts: missing parts are written; one
 * part with other content is a conflict of the whole artifact. At a target without atomic writes, parts
 * that this execution may have left half-written are written again and are no conflict.
 */
export function decideArtifact(
  found: readonly PartComparison[],
  rules: PartRules,
  target: TargetNature,
): ArtifactDecision {
  const isLeftover = rules.mayHaveSent && !target.atomic;
  const at = found.findIndex(({ kind }) => kind === "different" || kind === "unread");
  const lacking = [...found.keys()].filter((index) => found[index]?.kind !== "same");
  if (lacking.length === 0) return { kind: "same" };
  if (at < 0 || isLeftover) return { kind: "write", lacking, replaces: false };
  if (rules.conflictStrategy === "FAST_FAIL") return { kind: "conflict", at };
  if (rules.conflictStrategy === "SKIP") return { kind: "leave", at };
  return target.immutable
    ? { kind: "immutable", at }
    : { kind: "write", lacking, replaces: true };
}

/**
 * `differing`: tags that have other content at the target; `writes`: tags that get the image, or
 * "conflict": no tag gets it, because the conflict stops the run at this cluster.
 */
type TagsDecision = { differing: string[]; writes: string[] | "conflict" };

/**
 * Decides which tags of the target get an image. `there`: the content of each tag at the target; null: no
 * such tag.
 */
export function decideTags(
  there: ReadonlyMap<string, { digest: string } | null>,
  digest: string,
  strategy: ConflictStrategy,
): TagsDecision {
  const missing = [...there].filter(([, found]) => found === null).map(([tag]) => tag);
  const differing = [...there]
    .filter(([, found]) => found !== null && found.digest !== digest)
    .map(([tag]) => tag);
  if (differing.length > 0 && strategy === "FAST_FAIL")
    return { differing, writes: "conflict" };
  return {
    differing,
    writes: strategy === "OVERWRITE" ? [...missing, ...differing] : missing,
  };
}
