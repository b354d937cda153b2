import { isDigest } from "../digest.ts";
import { type JsonObject, record, stringOf } from "../json.ts";
import {
  guessedType,
  isCosigns,
  isForeign,
  ManifestError,
  parseObject,
  readContent,
} from "./manifest.ts";
import {
  ARTIFACT_MANIFEST,
  INDEX_TYPES,
  isSchema1Type,
  MANIFEST_TYPES,
} from "./media-types.ts";

/**
 * A part of a pushed manifest: its config or a layer, or a child of an index (`manifest` true). `foreign`:
 * it may be stored elsewhere than in the registry.
 */
export type ManifestPart = { digest: string; manifest: boolean; foreign: boolean };

export type ManifestFacts = {
  mediaType: string;
  /**
   * The type that the referrers API shows: the manifest's `artifactType`, else the media type of its
   * config; null: neither is stated.
   */
  artifactType: string | null;
  /** Digest of the manifest to which this one is attached; that manifest need not exist. Null: none. */
  subject: string | null;
  annotations: Record<string, string> | null;
  /** Whether all layers of the manifest are signatures, attestations or SBOMs as cosign writes them. */
  cosigns: boolean;
  /** Parts, each digest once. */
  parts: ManifestPart[];
};

/** Content types that do not identify a manifest; the manifest's `mediaType` counts instead. */
const GENERIC = ["", "application/json", "application/octet-stream", "text/plain"];

/** Reads a pushed manifest (image-spec 1.1, Docker schema 2). Throws ManifestError. */
export function readManifest(
  bytes: Uint8Array,
  contentType: string | undefined,
): ManifestFacts {
  const json = parseObject(bytes);
  const mediaType = mediaTypeOf(
    json,
    contentType?.split(";")[0]?.trim().toLowerCase() ?? "",
  );
  if (json["schemaVersion"] !== 2 && mediaType !== ARTIFACT_MANIFEST)
    throw new ManifestError("schemaVersion must be 2");
  const attached = json["subject"] ?? null;
  if (attached !== null && !isDigest(record(attached)["digest"]))
    throw new ManifestError("subject.digest must be the digest of a manifest");
  const { blobs, children, subject, artifactType, annotations } = readContent(
    json,
    mediaType,
  );
  const parts = [
    ...blobs.map((blob) => ({
      digest: blob.digest,
      manifest: false,
      foreign: isForeign(blob),
    })),
    ...children.map(({ digest }) => ({ digest, manifest: true, foreign: false })),
  ];
  return {
    mediaType,
    artifactType,
    subject,
    annotations: textsOf(annotations),
    cosigns: isCosigns({ blobs, children }),
    parts,
  };
}

function mediaTypeOf(json: JsonObject, named: string): string {
  const own = stringOf(json["mediaType"]);
  if (json["schemaVersion"] === 1 || isSchema1Type(named)) {
    throw new ManifestError(
      "Docker's image format of schema 1 is not supported: push the image as OCI or Docker schema 2",
    );
  }
  const mediaType = GENERIC.includes(named) ? own || guessedType(json) : named;
  if (own !== "" && own !== mediaType)
    throw new ManifestError(
      `the mediaType in the manifest is ${shown(own)}, but the manifest was sent as ${shown(mediaType)}`,
    );
  if (INDEX_TYPES.includes(mediaType) || MANIFEST_TYPES.includes(mediaType))
    return mediaType;
  throw new ManifestError(
    `the media type ${shown(mediaType)} is not supported: send ${[...MANIFEST_TYPES, ...INDEX_TYPES].join(", ")}`,
  );
}

function textsOf(annotations: JsonObject | null): Record<string, string> | null {
  const pairs = Object.entries(annotations ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return pairs.length === 0 ? null : Object.fromEntries(pairs);
}

const shown = (value: string): string => JSON.stringify(value.slice(0, 100));
