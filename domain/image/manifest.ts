import { isDigest, type Digest } from "../digest.ts";
import { jsonIfAny, NOT_JSON, parseJson, strictUtf8 } from "../foreign/json.ts";
import { LIMITS, OverLimit } from "../foreign/limits.ts";
import { isRecord, type JsonObject, record, stringOf } from "../json.ts";
import {
  ARTIFACT_MANIFEST,
  isCosignType,
  isForeignType,
  isIndexType,
  isManifestType,
  OCI_INDEX,
  OCI_MANIFEST,
} from "./media-types.ts";

/** A manifest that cannot be read; `message` says what is wrong with it. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** A descriptor: how a manifest refers to a blob or another manifest. */
export type Descriptor = {
  /** Empty if the manifest does not state the media type. */
  mediaType: string;
  digest: Digest;
  /** Null if the manifest does not state the size: the field is missing, null or negative. */
  size: number | null;
  /** Other places from which a foreign layer can be downloaded. */
  urls: readonly string[];
};

/** An entry of a list of attachments; `json`: the entry as the list has it, for lists that repeat it. */
export type Referrer = Descriptor & { json: JsonObject };

/** Content of a manifest or an index (image-spec 1.1, Docker schema 2). Each list has a digest once. */
export type ManifestContent = {
  /** The config, if there is one, then the layers; of an index: its entries that are no manifests. */
  blobs: readonly Descriptor[];
  /** The manifests of an index; empty for any other manifest. */
  children: readonly Descriptor[];
  /** Digest of the manifest to which this one is attached; that manifest need not exist. Null: none. */
  subject: Digest | null;
  /**
   * The type that lists of attachments show: the manifest's `artifactType`, else the media type of its
   * config; null: neither is stated.
   */
  artifactType: string | null;
  annotations: JsonObject | null;
};

/**
 * A layer is foreign if it has a non-distributable type and at least one URL: the copier then leaves it at its URLs,
 * and a hosted repository accepts the manifest without it, as distribution does.
 */
export function isForeign({ mediaType, urls }: Descriptor): boolean {
  return urls.length > 0 && isForeignType(mediaType);
}

/**
 * Checks whether a manifest has layers, and all of them are what cosign attaches to images: signatures,
 * attestations or SBOMs.
 */
export function isCosigns({
  blobs,
  children,
}: Pick<ManifestContent, "blobs" | "children">): boolean {
  const layers = blobs.slice(1);
  return (
    children.length === 0 &&
    layers.length > 0 &&
    layers.every(({ mediaType }) => isCosignType(mediaType))
  );
}

/** Reads the content of a manifest of the given media type. Missing or null lists are empty. Throws ManifestError. */
export function readContent(json: JsonObject, mediaType: string): ManifestContent {
  const isIndex = isIndexType(mediaType);
  const own =
    stringOf(json["artifactType"]) ||
    (isIndex ? "" : stringOf(record(json["config"])["mediaType"]));
  const listed = isIndex ? descriptors(json, "manifests") : [];
  const subject = record(json["subject"])["digest"];
  return {
    blobs: distinct(
      isIndex
        ? listed.filter((entry) => !isManifestType(entry.mediaType))
        : contents(json, mediaType),
    ),
    children: distinct(listed.filter((entry) => isManifestType(entry.mediaType))),
    subject: isDigest(subject) ? subject : null,
    artifactType: own || null,
    annotations: isRecord(json["annotations"]) ? json["annotations"] : null,
  };
}

/**
 * Reads the descriptors in a list of attachments (parsed JSON) and skips entries without a valid digest. Returns null
 * when the document is no object, its `manifests` is no list, or an entry's size is no number.
 */
export function readReferrers(document: unknown): Referrer[] | null {
  if (!isRecord(document)) return null;
  const { manifests = null } = document;
  if (manifests !== null && !Array.isArray(manifests)) return null;
  try {
    return (manifests ?? []).flatMap((entry: unknown) =>
      isRecord(entry) && isDigest(entry["digest"])
        ? [{ ...descriptor(entry, "an entry"), json: entry }]
        : [],
    );
  } catch {
    return null;
  }
}

/** Reads the descriptors in a document that may be a list of attachments, as `readReferrers` does. */
export const referrersIn = (bytes: Uint8Array): Referrer[] | null =>
  readReferrers(jsonIfAny(bytes, LIMITS.manifest));

export function parseObject(bytes: Uint8Array): JsonObject {
  const value = valueOf(bytes);
  if (value === NOT_JSON) throw new ManifestError("not JSON");
  if (!isRecord(value)) throw new ManifestError("not a JSON object");
  return value;
}

function valueOf(bytes: Uint8Array): unknown {
  try {
    // With a byte order mark, no client could read the manifest.
    return parseJson(bytes, LIMITS.manifest, strictUtf8);
  } catch (error) {
    throw error instanceof OverLimit ? new ManifestError(error.message) : error;
  }
}

/** Guesses the media type of a manifest that does not state one. */
export const guessedType = (json: JsonObject): string =>
  json["manifests"] === undefined ? OCI_MANIFEST : OCI_INDEX;

function contents(json: JsonObject, mediaType: string): Descriptor[] {
  if (mediaType === ARTIFACT_MANIFEST) return descriptors(json, "blobs");
  const config = json["config"] ?? null;
  return [
    ...(config === null ? [] : [descriptor(config, "config")]),
    ...descriptors(json, "layers"),
  ];
}

function descriptors(json: JsonObject, field: string): Descriptor[] {
  const list = json[field] ?? [];
  if (!Array.isArray(list)) throw new ManifestError(`${field} must be a list`);
  return list.map((entry: unknown, at) => descriptor(entry, `${field}[${at}]`));
}

function descriptor(value: unknown, where: string): Descriptor {
  if (!isRecord(value))
    throw new ManifestError(
      `${where} must be a descriptor with mediaType, digest and size`,
    );
  const { digest, mediaType, urls } = value;
  if (!isDigest(digest))
    throw new ManifestError(
      `${where}.digest must be sha256: and 64 lower-case hex digits, or sha512: and 128`,
    );
  const places = Array.isArray(urls)
    ? urls.filter((url: unknown) => typeof url === "string")
    : [];
  return {
    mediaType: stringOf(mediaType),
    digest,
    size: sizeOf(value["size"] ?? null, where),
    urls: places,
  };
}

/**
 * Returns the size in a descriptor; null: unknown. Writers that do not know a size omit it or write -1; the
 * blob is still found by its digest. Throws ManifestError if the size is not an integer.
 */
function sizeOf(size: unknown, where: string): number | null {
  if (size === null) return null;
  if (typeof size !== "number" || !Number.isSafeInteger(size))
    throw new ManifestError(`${where}.size must be a number of bytes`);
  return size < 0 ? null : size;
}

const distinct = (list: readonly Descriptor[]): Descriptor[] => [
  ...new Map(list.map((each) => [each.digest, each])).values(),
];
