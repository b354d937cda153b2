export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json";
export const INDEX_TYPES: readonly string[] = [
  OCI_INDEX,
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
/** Media types of manifests other than indexes. */
export const MANIFEST_TYPES: readonly string[] = [
  OCI_MANIFEST,
  "application/vnd.docker.distribution.manifest.v2+json",
  ARTIFACT_MANIFEST,
];

export const isIndexType = (mediaType: string): boolean =>
  INDEX_TYPES.includes(mediaType);

/**
 * Checks whether an index entry of this type is a manifest, as an entry without a type ("") is. The entries
 * of an index in which BuildKit keeps its cache are layers.
 */
export const isManifestType = (mediaType: string): boolean =>
  mediaType === "" || isIndexType(mediaType) || MANIFEST_TYPES.includes(mediaType);

/** Media type of Docker's image format of schema 1, which is not supported. */
export const SCHEMA_1_MANIFEST = "application/vnd.docker.distribution.manifest.v1+json";

/** Whether a type is that of a schema 1 manifest, signed (`+prettyjws`) or not (`+json`). */
export const isSchema1Type = (mediaType: string): boolean =>
  mediaType.startsWith("application/vnd.docker.distribution.manifest.v1+");

/** Types of non-distributable layers (image-spec, "Non-Distributable Layers") and Docker's foreign layers. */
const FOREIGN_LAYERS = /\.foreign\.|nondistributable/;

/** Whether a layer of this type may be stored elsewhere than in the registry. */
export const isForeignType = (mediaType: string): boolean =>
  FOREIGN_LAYERS.test(mediaType);

/** Types of the layers that cosign's `.sig`, `.att` and `.sbom` tags have. */
const COSIGN_LAYERS = [
  /^application\/vnd\.dev\.(?:cosign|sigstore)\./,
  /^application\/vnd\.dsse\.envelope\./,
  /^application\/vnd\.in-toto\+/,
  /^(?:text|application)\/(?:spdx|vnd\.spdx|vnd\.cyclonedx|vnd\.syft)(?:[+.]|$)/,
];

/** Checks whether layers of this type are in cosign's attachments of images. */
export const isCosignType = (mediaType: string): boolean =>
  COSIGN_LAYERS.some((pattern) => pattern.test(mediaType));
