import type { Part } from "./artifact.ts";
import { compareContent, type KnownContent } from "./content-digests.ts";
import type { ComparedBy, CompareMode, ConflictStrategy } from "./vocabulary.ts";

/** What a target has in the place of a part. `modifiedDate`: its last change (epoch ms), where the target tells it. */
export type Fact = KnownContent & { modifiedDate?: number | null };

/** `unread`: only its bytes can tell. */
export type PartComparison = { kind: "absent" | "different" | "unread" } | { kind: "same"; by: ComparedBy };

/**
 * Compares a part with what a target has in its place. Where no digest decides, equal sizes are equal contents where
 * the target is not older than the source (AUTO), or always (SIZE).
 */
export function comparePart(part: Part, there: Fact | null, compare: CompareMode): PartComparison {
  if (there === null) return { kind: "absent" };
  const comparison = compareContent(part, there);
  if (comparison === "same") return { kind: "same", by: "DIGEST" };
  if (comparison === "different") return { kind: "different" };
  const sizesKnown = part.size !== null && there.size !== null;
  if (compare === "READ") return { kind: "unread" };
  if (compare === "SIZE") return sizesKnown ? { kind: "same", by: "SIZE" } : { kind: "different" };
  const isNewer = (there.modifiedDate ?? -Infinity) >= (part.origin?.lastModifiedDate ?? Infinity);
  return sizesKnown && isNewer ? { kind: "same", by: "SIZE" } : { kind: "unread" };
}

export type PartRules = {
  conflictStrategy: ConflictStrategy;
  /** This execution may itself have written what is there. */
  mayHaveSent: boolean;
};

/** What a target can do about what it has. */
export type TargetNature = {
  /** A write that was cut leaves nothing: what is there is whole. */
  atomic: boolean;
  /** A version that is there never changes. */
  immutable: boolean;
};

/** `lacking`: the indexes of the parts to write; `at`: that of the first part with other content. */
export type ArtifactDecision =
  | { kind: "same" }
  | { kind: "write"; lacking: number[]; replaces: boolean }
  | { kind: "leave" | "conflict" | "immutable"; at: number };

/**
 * Decides an artifact by its parts: what is lacking is written; one part with other content is a conflict of the whole.
 * What this execution may itself have left half-written at a target without atomic writes is written again, and is no
 * conflict.
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
  return target.immutable ? { kind: "immutable", at } : { kind: "write", lacking, replaces: true };
}

/**
 * `differing`: tags that name other content; `writes`: those that are to be given the image, "conflict": none, for it
 * stops the cluster.
 */
export type TagsDecision = { differing: string[]; writes: string[] | "conflict" };

/** Decides an image by what each of its tags names at the target; null: nothing. */
export function decideTags(
  there: ReadonlyMap<string, { digest: string } | null>,
  digest: string,
  strategy: ConflictStrategy,
): TagsDecision {
  const missing = [...there].filter(([, found]) => found === null).map(([tag]) => tag);
  const differing = [...there].filter(([, found]) => found !== null && found.digest !== digest).map(([tag]) => tag);
  if (differing.length > 0 && strategy === "FAST_FAIL") return { differing, writes: "conflict" };
  return { differing, writes: strategy === "OVERWRITE" ? [...missing, ...differing] : missing };
}
