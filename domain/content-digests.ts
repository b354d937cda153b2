import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests } from "./artifact.ts";

/** Algorithms of the digests by which contents are told apart where nobody knows the sha256, the strongest first. */
export type OtherAlgorithm = Exclude<DigestAlgorithm, "sha256">;
export const OTHER_ALGORITHMS = DIGEST_ALGORITHMS.filter((each): each is OtherAlgorithm => each !== "sha256");
export type OtherDigests = Pick<Digests, OtherAlgorithm>;

/** What is known of a content; `size` null: it is not. */
export type KnownContent = { size: number | null; digests: Digests };

/** `unknown`: no digest says whether the contents are the same. */
export type ContentComparison = "same" | "different" | "unknown";

/**
 * Compares two contents by what is known of them: the sha256 decides alone; else another size is another content; else
 * the strongest digest that is known of both decides.
 */
export function compareContent(one: KnownContent, other: KnownContent): ContentComparison {
  const isShared = (each: DigestAlgorithm) => one.digests[each] !== undefined && other.digests[each] !== undefined;
  const algorithm = DIGEST_ALGORITHMS.find(isShared);
  const sizesDiffer = one.size !== null && other.size !== null && one.size !== other.size;
  if (algorithm !== "sha256" && sizesDiffer) return "different";
  if (algorithm === undefined) return "unknown";
  return one.digests[algorithm] === other.digests[algorithm] ? "same" : "different";
}

/**
 * What a source says of a content; null: it does not say. Without a sha256 the strongest of the other digests decides.
 */
export type ContentClaim = OtherDigests & { sha256: string | null; size: number | null };

/** A content of the target with those of its digests that were looked up. */
export type ContentFacts = OtherDigests & { sha256: string; size: number };

/** `unknown`: something is there, and the digest that decides was not found of it. */
export type ClaimComparison = ContentComparison | "absent";

export const strongestDigest = (claim: OtherDigests): OtherAlgorithm | undefined =>
  OTHER_ALGORITHMS.find((algorithm) => claim[algorithm] !== undefined);

/** Compares what a source says of a content with what the target has in its place; `null` = nothing is there. */
export function compareClaim(claim: ContentClaim, there: ContentFacts | null): ClaimComparison {
  if (there === null) return "absent";
  return compareContent({ size: claim.size, digests: decisiveOf(claim) }, { size: there.size, digests: there });
}

/** A weaker digest does not stand in for one that is claimed and not found at the target. */
function decisiveOf(claim: ContentClaim): Digests {
  if (claim.sha256 !== null) return { sha256: claim.sha256 };
  const algorithm = strongestDigest(claim);
  return algorithm === undefined ? {} : { [algorithm]: claim[algorithm] };
}
