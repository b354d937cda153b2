/** The algorithms that ends tell digests in, the one to trust first. */
export const DIGEST_ALGORITHMS = ["sha256", "sha512", "sha1", "md5"] as const;
export type DigestAlgorithm = (typeof DIGEST_ALGORITHMS)[number];

/** Lower-case hex, as far as an end tells. */
export type Digests = { readonly [A in DigestAlgorithm]?: string };

/** Who made a thing and changed it last; dates in epoch ms. */
export type Origin = { createdBy: string; createdDate: number; lastModifiedBy: string; lastModifiedDate: number };

/**
 * One file of an artifact. `path` begins with "/"; `size` null: unknown until it is read. Without an origin it has that
 * of the artifact.
 */
export type Part = {
  path: string;
  size: number | null;
  digests: Digests;
  metadata?: Readonly<Record<string, string>>;
  origin?: Origin;
};

/**
 * A package version, or a single file (`version` ""), as its source has it. `parts` in writing order: the last one
 * commits.
 */
export type Artifact = {
  name: string;
  version: string;
  parts: readonly Part[];
  /** Of the whole version or the file, `sha256:…`; null where it is not known beforehand. */
  digest: string | null;
  /**
   * The protocol's own description of the version (package.json, Chart.yaml, core metadata); null where it has none.
   */
  document: Readonly<Record<string, unknown>> | null;
  /** Names that point to this version at the source (npm's dist-tags). */
  tags: readonly string[];
  /** All versions of the package that the source has; absent where it does not say, or nothing depends on it. */
  siblings?: readonly string[];
  origin: Origin;
};

export type ArtifactKey = Pick<Artifact, "name" | "version">;

/** What people call an artifact. */
export const subjectOf = ({ name, version }: ArtifactKey): string => (version === "" ? name : `${name} ${version}`);

export const metadataOf = ({ metadata = {} }: Part): Readonly<Record<string, string>> => metadata;

/** The bytes of all parts; null while one of them is unknown. */
export function sizeOf(parts: readonly Part[]): number | null {
  return parts.reduce<number | null>((sum, { size }) => (sum === null || size === null ? null : sum + size), 0);
}

/** The digest to trust first as `algorithm:hex`; null where none is known. */
export function strongest(digests: Digests): string | null {
  const algorithm = DIGEST_ALGORITHMS.find((each) => digests[each] !== undefined);
  return algorithm === undefined ? null : `${algorithm}:${digests[algorithm]}`;
}
