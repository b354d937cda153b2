import { DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests } from "./artifact.ts";

/** Digest algorithms that compare contents if the sha256 is unknown, the strongest first. */
export type OtherAlgorithm = Exclude<DigestAlgorithm, "sha256">;
export const OTHER_ALGORITHMS = DIGEST_ALGORITHMS.filter(
  (each): each is OtherAlgorithm => each !== "sha256",
);
export type OtherDigests = Pick<Digests, OtherAlgorithm>;

/** Known facts of a content; `size` null: unknown. */
export type KnownContent = { size: number | null; digests: Digests };

/** `unknown`: no digest says whether the contents are the same. */
type ContentComparison = "same" | "different" | "unknown";

/**
 * Compares two contents by their known facts. If both sha256 are known, they alone decide; else different
 * sizes prove different contents; else the strongest digest that both have decides; else the result is
 * "unknown".
 */
export function compareContent(
  one: KnownContent,
  other: KnownContent,
): ContentComparison {
  const isShared = (each: DigestAlgorithm) =>
    one.digests[each] !== undefined && other.digests[each] !== undefined;
  const algorithm = DIGEST_ALGORITHMS.find(isShared);
  const sizesDiffer = one.size !== null && other.size !== null && one.size !== other.size;
  if (algorithm !== "sha256" && sizesDiffer) return "different";
  if (algorithm === undefined) return "unknown";
  return one.digests[algorithm] === other.digests[algorithm] ? "same" : "different";
}

/**
 * Facts that a source states about a content; null or absent: not stated. Without a sha256, the strongest
 * stated other digest decides.
 */
export type ContentClaim = OtherDigests & { sha256: string | null; size: number | null };

/** A content at the target, with those of its digests that were looked up. */
export type ContentFacts = OtherDigests & { sha256: string; size: number };

/**
 * `unknown`: the target has a content at that place, but no digest decides whether it is the stated one;
 * `absent`: the target has no content there.
 */
export type ClaimComparison = ContentComparison | "absent";

export const strongestDigest = (claim: OtherDigests): OtherAlgorithm | undefined =>
  OTHER_ALGORITHMS.find((algorithm) => claim[algorithm] !== undefined);

/**
 * Compares the content that a source states with the content at its place at the target; `there` null: no
 * content.
 */
export function compareClaim(
  claim: ContentClaim,
  there: ContentFacts | null,
): ClaimComparison {
  if (there === null) return "absent";
  return compareContent(
    { size: claim.size, digests: decisiveOf(claim) },
    { size: there.size, digests: there },
  );
}

/**
 * Keeps only the strongest stated digest: a weaker one must not decide if the target lacks the strongest.
 */
function decisiveOf(claim: ContentClaim): Digests {
  if (claim.sha256 !== null) return { sha256: claim.sha256 };
  const algorithm = strongestDigest(claim);
  return algorithm === undefined ? {} : { [algorithm]: claim[algorithm] };
}
