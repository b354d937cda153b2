import type { Artifact, ArtifactKey, Origin, Part } from "../../domain/artifact.ts";
import { TransferError } from "../../domain/failure.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import type {
  SourceVersion,
  StatedVersion,
  VersionFile,
} from "../../domain/sync-versions.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { Source } from "../registries/contract.ts";
import type { ContentSource } from "../store/content-source.ts";
import { type BatchDeps, whenReachable } from "./context.ts";
import type { Batch } from "./work.ts";

/** Maximum number of versions that one request to the control plane names; the answer may contain fewer. */
const ASKED_AT_ONCE = 100;
/** Maximum number of small contents that are read from the store in one request. */
const READ_AT_ONCE = 256;

/**
 * Opens the hosted repository of a batch as a source. Files are described by the batch itself, versions
 * by the control plane; content is read from the store.
 */
export function openHostedSource(
  { content, controlPlane }: Pick<BatchDeps, "content" | "controlPlane">,
  { artifacts, source }: Pick<Batch, "artifacts" | "source">,
): Source {
  const files = new Map(
    artifacts
      .filter(({ version }) => version === "")
      .map((artifact) => [artifact.name, artifact]),
  );

  async function versionsOf(
    keys: ArtifactKey[],
    signal: AbortSignal,
  ): Promise<SourceVersion[]> {
    if (keys.length === 0) return [];
    const told = await whenReachable({ signal, heartbeat: () => {} }, () =>
      controlPlane.versions(source.repositoryId, keys),
    );
    if (told.length > 0) return told;
    throw new TransferError(
      "invalid",
      "the control plane describes none of the requested versions",
    );
  }

  return {
    async describe(keys, signal) {
      const versions = keys
        .filter(({ version }) => version !== "")
        .slice(0, ASKED_AT_ONCE);
      const told = (await versionsOf(versions, signal)).values();
      const described: (Artifact | TransferError | null)[] = [];
      for (const { name, version } of keys) {
        const next =
          version === ""
            ? fileArtifact(files.get(name))
            : versionArtifact(told.next().value);
        if (next === undefined) break;
        described.push(next);
      }
      return described;
    },
    ...hostedContent(content),
  };
}

/**
 * Reads the content of hosted artifacts from the store, by sha256. The control plane is told of a content
 * that is gone or wrong, so that nobody relies on it any more.
 */
export function hostedContent(
  content: Omit<ContentSource, "close">,
): Omit<Source, "describe"> {
  return {
    async open(_artifact, part, offset, signal) {
      const sha256 = sha256Of(part);
      const opened = content.open(sha256, { start: offset }, signal);
      const { size, stream } = await opened.catch((error: unknown) => {
        if (isGone(error)) void content.suspect(sha256);
        throw error;
      });
      return { size, chunks: stream };
    },
    async openSmall(parts, signal) {
      const found = new Map<string, Buffer>();
      for (let at = 0; at < parts.length; at += READ_AT_ONCE) {
        const read = await content.readSmall(
          parts.slice(at, at + READ_AT_ONCE).map(sha256Of),
          signal,
        );
        for (const [sha256, bytes] of read) found.set(sha256, bytes);
      }
      return found;
    },
    damaged(part, found) {
      const sha256 = sha256Of(part);
      void content.suspect(sha256);
      return new TransferError(
        "invalid",
        `the content in the local store is damaged (${found}, not sha256:${sha256}): ` +
          "upload the file again, or replicate it here again",
      );
    },
  };
}

const isGone = (error: unknown): boolean =>
  error instanceof TransferError && error.kind === "notFound";

/** Returns the sha256 of a part; every part of a hosted artifact has one. */
const sha256Of = ({ digests }: Part): string => digests.sha256 ?? "";

/**
 * Converts a planned file to an artifact with one part; null when the file was deleted, or is not in the
 * batch.
 */
function fileArtifact(file: BatchArtifact | undefined): Artifact | null {
  const origin = file && originOf(file);
  if (!file || !origin || file.size === null || file.sha256 === null) return null;
  const { name, size, sha256, md5, metadata } = file;
  const digests = { sha256, ...(md5 ? { md5 } : {}) };
  return {
    name,
    version: "",
    parts: [{ path: name, size, digests, metadata, origin }],
    digest: `sha256:${sha256}`,
    document: null,
    tags: [],
    origin,
  };
}

function originOf({
  createdBy,
  createdDate,
  lastModifiedBy,
  lastModifiedDate,
}: BatchArtifact): Origin | null {
  if (
    createdBy === null ||
    createdDate === null ||
    lastModifiedBy === null ||
    lastModifiedDate === null
  )
    return null;
  return { createdBy, createdDate, lastModifiedBy, lastModifiedDate };
}

/**
 * Converts a version in the control plane's answer to an artifact: null when the version was deleted, an
 * error when it has too many files to be sent, undefined when the answer ends before this version.
 */
function versionArtifact(
  told: SourceVersion | undefined,
): Artifact | TransferError | null | undefined {
  switch (told?.kind) {
    case undefined:
      return undefined;
    case "gone":
      return null;
    case "tooMany":
      return new TransferError(
        "tooLarge",
        `the version has ${told.files} files; one with more than ${SYNC_LIMITS.versionFiles} files cannot be sent`,
      );
    case "found":
      return toArtifact(told.version);
  }
}

function toArtifact({
  package: name,
  version,
  digest,
  files,
  document,
  distTags,
  sourceVersions,
  ...origin
}: StatedVersion): Artifact {
  const siblings = sourceVersions ? { siblings: sourceVersions } : {};
  return {
    name,
    version,
    parts: files.map(toPart),
    digest,
    document,
    tags: distTags,
    ...siblings,
    origin,
  };
}

function toPart({ path, size, sha256, metadata, ...origin }: VersionFile): Part {
  return { path, size, digests: { sha256 }, metadata, origin };
}
