import { isDigest } from "./digest.ts";

/** A manifest that is refused; `message` says what is wrong with it. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
}

/** What a manifest names: config and layers, or children of an index (`manifest`). `foreign`: it may lie elsewhere. */
export type ManifestPart = { digest: string; size: number; manifest: boolean; foreign: boolean };

export type ManifestFacts = {
  mediaType: string;
  /** As the referrers API tells it: of a manifest without one, the media type of its config. */
  artifactType: string | null;
  /** Digest of what it is attached to, which need not be there. */
  subject: string | null;
  annotations: Record<string, string> | null;
  /** Each digest once. */
  parts: ManifestPart[];
};

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const INDEXES = [OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"];
const MANIFESTS = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.artifact.manifest.v1+json",
];
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
/** What says nothing of the manifest: then its own words count. */
const GENERIC = ["", "application/json", "application/octet-stream", "text/plain"];

type Json = Record<string, unknown>;

/** Reads what is pushed as a manifest (image-spec 1.1, Docker schema 2). Throws ManifestError. */
export function readManifest(bytes: Uint8Array, contentType: string | undefined): ManifestFacts {
  const json = parseObject(bytes);
  const mediaType = mediaTypeOf(json, contentType?.split(";")[0]?.trim().toLowerCase() ?? "");
  if (json["schemaVersion"] !== 2 && !mediaType.includes(".artifact.manifest.")) throw new ManifestError("schemaVersion must be 2");
  const isIndex = INDEXES.includes(mediaType);
  const artifactType = text(json["artifactType"]) || (isIndex ? "" : text(objectOf(json["config"])["mediaType"]));
  return {
    mediaType,
    artifactType: artifactType || null,
    subject: subjectOf(json["subject"]),
    annotations: annotationsOf(json["annotations"]),
    parts: distinct(isIndex ? children(json) : contents(json, mediaType)),
  };
}

function parseObject(bytes: Uint8Array): Json {
  let value: unknown;
  try {
    // A byte order mark is none of JSON (RFC 8259, 8.1): no client could read the manifest.
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new ManifestError("it is no JSON", { cause: error });
  }
  if (!isObject(value)) throw new ManifestError("it is no JSON object");
  return value;
}

function mediaTypeOf(json: Json, named: string): string {
  const own = text(json["mediaType"]);
  if (json["schemaVersion"] === 1 || SCHEMA_1.test(named)) {
    throw new ManifestError("Docker's image format of schema 1 is not supported: push the image as OCI or Docker schema 2");
  }
  const mediaType = GENERIC.includes(named) ? own || guessed(json) : named;
  if (own !== "" && own !== mediaType) throw new ManifestError(`its mediaType is ${shown(own)}, but it was sent as ${shown(mediaType)}`);
  if (INDEXES.includes(mediaType) || MANIFESTS.includes(mediaType)) return mediaType;
  throw new ManifestError(`the media type ${shown(mediaType)} is no manifest's: send ${[...MANIFESTS, ...INDEXES].join(", ")}`);
}

const guessed = (json: Json): string => (Array.isArray(json["manifests"]) ? OCI_INDEX : (MANIFESTS[0] ?? ""));

function contents(json: Json, mediaType: string): ManifestPart[] {
  const isArtifact = mediaType.includes(".artifact.manifest.");
  const config = isArtifact ? [] : [part(json["config"], "config", false)];
  const listed = isArtifact ? list(json, "blobs") : list(json, "layers");
  return [...config, ...listed];
}

/** BuildKit keeps its cache as an index whose entries are layers. */
function children(json: Json): ManifestPart[] {
  if (!Array.isArray(json["manifests"])) throw new ManifestError("manifests must be a list");
  return json["manifests"].map((each: unknown, at) => {
    const mediaType = text(objectOf(each)["mediaType"]);
    return part(each, `manifests[${at}]`, mediaType === "" || INDEXES.includes(mediaType) || MANIFESTS.includes(mediaType));
  });
}

function list(json: Json, field: string): ManifestPart[] {
  const value = json[field] ?? [];
  if (!Array.isArray(value)) throw new ManifestError(`${field} must be a list`);
  return value.map((each: unknown, at) => part(each, `${field}[${at}]`, false));
}

function part(value: unknown, where: string, manifest: boolean): ManifestPart {
  if (!isObject(value)) throw new ManifestError(`${where} must be a descriptor with mediaType, digest and size`);
  const { digest, size, mediaType, urls } = value;
  if (!isDigest(digest)) throw new ManifestError(`${where}.digest must be sha256: and 64 lower-case hex digits, or sha512: and 128`);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) throw new ManifestError(`${where}.size must be a number of bytes`);
  const foreign = !manifest && (/\.foreign\.|nondistributable/.test(text(mediaType)) || (Array.isArray(urls) && urls.length > 0));
  return { digest, size, manifest, foreign };
}

function subjectOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const { digest } = objectOf(value);
  if (!isDigest(digest)) throw new ManifestError("subject.digest must be the digest of a manifest");
  return digest;
}

function annotationsOf(value: unknown): Record<string, string> | null {
  const pairs = Object.entries(objectOf(value)).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  return pairs.length === 0 ? null : Object.fromEntries(pairs);
}

const distinct = (parts: ManifestPart[]): ManifestPart[] => [...new Map(parts.map((each) => [each.digest, each])).values()];
const text = (value: unknown): string => (typeof value === "string" ? value : "");
const shown = (value: string): string => JSON.stringify(value.slice(0, 100));
const objectOf = (value: unknown): Json => (isObject(value) ? value : {});

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
