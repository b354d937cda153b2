import type { Digest } from "../../../domain/digest.ts";
import { TransferError } from "../../../domain/failure.ts";
import {
  guessedType,
  ManifestError,
  type ManifestContent,
  parseObject,
  readContent,
  type Referrer,
} from "../../../domain/image/manifest.ts";
import type { JsonObject } from "../../../domain/json.ts";
import type { Shown } from "../foreign.ts";
import {
  MANIFEST_TYPES,
  INDEX_TYPES,
  isIndexType,
  SCHEMA_1_MANIFEST,
} from "../../../domain/image/media-types.ts";

/**
 * The Accept header of every request that reads a manifest: without it a registry may answer 404 for a manifest
 * that exists.
 */
export const ACCEPT_MANIFESTS = [...MANIFEST_TYPES, ...INDEX_TYPES].join(", ");

/**
 * The facts of a manifest that an image copy needs; `bytes` are exactly the bytes to which the digest
 * belongs.
 */
export type Manifest = Pick<ManifestContent, "blobs" | "children" | "subject"> & {
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
};

/**
 * Parses a manifest or index, which `what` names in errors; `shown` is that of its answer. A type
 * `application/vnd.…` in `contentType` precedes the media type in the document, which helm's manifests lack. Throws
 * `invalid`, or `unsupported` for another media type.
 */
export function parseManifest(
  bytes: Buffer,
  digest: Digest,
  contentType: string | undefined,
  { what, shown }: { what: string; shown: Shown },
): Manifest {
  try {
    const json = parseObject(bytes);
    const mediaType = mediaTypeOf(json, contentType);
    if (!isIndexType(mediaType) && !MANIFEST_TYPES.includes(mediaType)) {
      throw new TransferError(
        "unsupported",
        `${what}: its media type ${shown(mediaType).slice(0, 100)} is not supported; ` +
          "push it again as an OCI or Docker v2 image",
      );
    }
    const { blobs, children, subject } = readContent(json, mediaType);
    return { digest, mediaType, bytes, blobs, children, subject };
  } catch (error) {
    throw error instanceof ManifestError
      ? new TransferError("invalid", `${what} cannot be read: ${error.message}`, {
          cause: error,
        })
      : error;
  }
}

/**
 * Returns the entry with which a list of attachments names a manifest. It is read anew, so that manifests that wait
 * for their parts do not keep their annotations in memory.
 */
export function asReferrer({ bytes, digest, mediaType }: Manifest): Referrer {
  const { artifactType, annotations } = readContent(parseObject(bytes), mediaType);
  const size = bytes.length;
  const json = {
    mediaType,
    digest,
    size,
    ...(artifactType === null ? {} : { artifactType }),
    ...(annotations === null ? {} : { annotations }),
  };
  return { mediaType, digest, size, urls: [], json };
}

/**
 * Returns the media type of a document: as its Content-Type or the document states it, else guessed. Returns ""
 * when the document is not a JSON object.
 */
export function readMediaType(bytes: Buffer, contentType: string | undefined): string {
  try {
    return mediaTypeOf(parseObject(bytes), contentType);
  } catch {
    return "";
  }
}

function mediaTypeOf(json: JsonObject, contentType: string | undefined): string {
  const named = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (named.startsWith("application/vnd.")) return named;
  if (typeof json["mediaType"] === "string") return json["mediaType"];
  return json["schemaVersion"] === 1 ? SCHEMA_1_MANIFEST : guessedType(json);
}
