/** Digest algorithms that the ends use, the most trusted one first. */
export const DIGEST_ALGORITHMS = ["sha256", "sha512", "sha1", "md5"] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Digests in lower-case hex; absent: that digest is unknown. */
export type Digests = { readonly [A in DigestAlgorithm]?: string };

/** Who created something and who changed it last; dates in epoch ms. */
export type Origin = {
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

/**
 * One file of an artifact. `path` begins with "/"; `size` null: unknown until the file is read. `origin` absent: the
 * artifact's origin applies.
 */
export type Part = {
  path: string;
  size: number | null;
  digests: Digests;
  metadata?: Readonly<Record<string, string>>;
  origin?: Origin;
};

/**
 * A package version, or a single file (`version` ""), as its source has it. `parts` are in writing order: writing the
 * last one commits.
 */
export type Artifact = {
  name: string;
  version: string;
  parts: readonly Part[];
  /** Digest of the whole version or the file, `sha256:…`; null: unknown before the transfer. */
  digest: string | null;
  /**
   * The description of the version in the form of its protocol (package.json, Chart.yaml, core metadata);
   * null: none.
   */
  document: Readonly<Record<string, unknown>> | null;
  /** Names that point to this version at the source (npm's dist-tags). */
  tags: readonly string[];
  /**
   * All versions of the package at the source; absent if the source does not list them, or no decision
   * needs them.
   */
  siblings?: readonly string[];
  origin: Origin;
};

export type ArtifactKey = Pick<Artifact, "name" | "version">;

/** Returns the artifact's name for people: `name`, or `name version`. */
export const subjectOf = ({ name, version }: ArtifactKey): string =>
  version === "" ? name : `${name} ${version}`;

export const metadataOf = ({ metadata = {} }: Part): Readonly<Record<string, string>> =>
  metadata;

/** Returns the sum of the sizes of all parts (bytes); null if one of them is unknown. */
export function sizeOf(parts: readonly Part[]): number | null {
  return parts.reduce<number | null>(
    (sum, { size }) => (sum === null || size === null ? null : sum + size),
    0,
  );
}

/** Returns the most trusted known digest as `algorithm:hex`; null if none is known. */
export function strongest(digests: Digests): string | null {
  const algorithm = DIGEST_ALGORITHMS.find((each) => digests[each] !== undefined);
  return algorithm === undefined ? null : `${algorithm}:${digests[algorithm]}`;
}
