export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json";
export const INDEX_TYPES: readonly string[] = [OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"];
/** Media types of manifests other than indexes. */
export const MANIFEST_TYPES: readonly string[] = [
  OCI_MANIFEST,
  "application/vnd.docker.distribution.manifest.v2+json",
  ARTIFACT_MANIFEST,
];

export const isIndexType = (mediaType: string): boolean => INDEX_TYPES.includes(mediaType);

/**
 * Whether an index's entry of this type is a manifest: BuildKit keeps its cache as an index whose entries are layers.
 */
export const isManifestType = (mediaType: string): boolean =>
  mediaType === "" || isIndexType(mediaType) || MANIFEST_TYPES.includes(mediaType);

/** Types of the layers in cosign's `.sig`, `.att` and `.sbom` tags. */
const COSIGN_LAYERS = [
  /^application\/vnd\.dev\.(?:cosign|sigstore)\./,
  /^application\/vnd\.dsse\.envelope\./,
  /^application\/vnd\.in-toto\+/,
  /^(?:text|application)\/(?:spdx|vnd\.spdx|vnd\.cyclonedx|vnd\.syft)(?:[+.]|$)/,
];

/** Whether a layer of this type is a cosign attachment of an image. */
export const isCosignType = (mediaType: string): boolean => COSIGN_LAYERS.some((pattern) => pattern.test(mediaType));
