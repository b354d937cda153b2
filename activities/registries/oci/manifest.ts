import { TransferError } from "../../../domain/failure.ts";
import { isDigest, type Digest } from "../../../domain/digest.ts";

const OCI = "application/vnd.oci.image";
const DOCKER = "application/vnd.docker.distribution.manifest";
const INDEX_TYPES: readonly string[] = [`${OCI}.index.v1+json`, `${DOCKER}.list.v2+json`];
const MANIFEST_TYPES: readonly string[] = [`${OCI}.manifest.v1+json`, `${DOCKER}.v2+json`, "application/vnd.oci.artifact.manifest.v1+json"];

/** Sent with every manifest request: without it a registry may deny a manifest that exists (404). */
export const ACCEPT_MANIFESTS = [...MANIFEST_TYPES, ...INDEX_TYPES].join(", ");
export const OCI_INDEX = `${OCI}.index.v1+json`;

export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.includes(mediaType);
}

export type Descriptor = {
  mediaType: string;
  digest: Digest;
  size: number;
  /** Where a foreign layer is to be had instead. */
  urls: readonly string[];
  /** As the registry wrote it, for lists that quote it. */
  json: Readonly<Record<string, unknown>>;
};

/** What the copy of an image needs to know of a manifest; `bytes` are exactly what the digest is of. */
export type Manifest = {
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
  /** Config first, then layers; each digest once. BuildKit's cache lists them in an index. */
  blobs: readonly Descriptor[];
  children: readonly Descriptor[];
  /** What it is attached to, and how a list of attachments describes it (image-spec, "subject"). */
  subject: Digest | null;
  description: Readonly<Record<string, unknown>>;
};

/** Docker's foreign and OCI's non-distributable layers stay where their `urls` point. */
export function isForeign(descriptor: Descriptor): boolean {
  return descriptor.urls.length > 0 && /\.foreign\.|nondistributable/.test(descriptor.mediaType);
}

/** Reads a manifest or index. `contentType` decides what it is: helm's manifests carry no mediaType. */
export function parseManifest(bytes: Buffer, digest: Digest, contentType: string | undefined, what: string): Manifest {
  const json = parseObject(bytes, what);
  const mediaType = mediaTypeOf(json, contentType);
  const subject = isObject(json["subject"]) && isDigest(json["subject"]["digest"]) ? json["subject"]["digest"] : null;
  const base = { digest, mediaType, bytes, subject, description: describe(json, mediaType, digest, bytes.length) };
  if (isIndexType(mediaType)) {
    const listed = distinct(descriptors(json["manifests"], what));
    const isManifest = (item: Descriptor) => item.mediaType === "" || isIndexType(item.mediaType) || MANIFEST_TYPES.includes(item.mediaType);
    return { ...base, blobs: listed.filter((item) => !isManifest(item)), children: listed.filter(isManifest) };
  }
  if (!MANIFEST_TYPES.includes(mediaType)) {
    throw new TransferError("unsupported", `${what}: its media type ${mediaType.slice(0, 100)} is not supported; push it again as an OCI or Docker v2 image`);
  }
  const config = json["config"] === undefined ? [] : [json["config"]];
  const lists = [config, json["layers"] ?? [], json["blobs"] ?? []];
  return { ...base, blobs: distinct(lists.flatMap((list) => descriptors(list, what))), children: [] };
}

/** The descriptor that a list of referrers holds of a manifest. */
function describe(json: Record<string, unknown>, mediaType: string, digest: Digest, size: number): Record<string, unknown> {
  const config = isObject(json["config"]) ? json["config"]["mediaType"] : undefined;
  const artifactType = json["artifactType"] ?? config;
  return {
    mediaType,
    digest,
    size,
    ...(typeof artifactType === "string" ? { artifactType } : {}),
    ...(isObject(json["annotations"]) ? { annotations: json["annotations"] } : {}),
  };
}

/** The descriptors of an index document, or null when it is none. */
export function parseIndex(bytes: Buffer, what: string): Descriptor[] | null {
  try {
    return descriptors(parseObject(bytes, what)["manifests"], what);
  } catch {
    return null;
  }
}

function mediaTypeOf(json: Record<string, unknown>, contentType: string | undefined): string {
  const named = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (named.startsWith("application/vnd.")) return named;
  if (typeof json["mediaType"] === "string") return json["mediaType"];
  if (json["schemaVersion"] === 1) return "application/vnd.docker.distribution.manifest.v1+json";
  return Array.isArray(json["manifests"]) ? OCI_INDEX : `${OCI}.manifest.v1+json`;
}

function parseObject(bytes: Buffer, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw new TransferError("invalid", `${what}: is no JSON`, { cause: error });
  }
  if (!isObject(value)) throw new TransferError("invalid", `${what}: is no JSON object`);
  return value;
}

function descriptors(list: unknown, what: string): Descriptor[] {
  if (!Array.isArray(list)) throw new TransferError("invalid", `${what}: a list of descriptors is missing`);
  return list.map((item: unknown) => {
    const { digest, size, mediaType, urls } = isObject(item) ? item : {};
    if (!isObject(item) || !isDigest(digest) || typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
      throw new TransferError("invalid", `${what}: has a descriptor without a valid digest and size`);
    }
    const places = Array.isArray(urls) ? urls.filter((url: unknown) => typeof url === "string") : [];
    return { mediaType: typeof mediaType === "string" ? mediaType : "", digest, size, urls: places, json: item };
  });
}

function distinct(list: readonly Descriptor[]): Descriptor[] {
  return [...new Map(list.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
