import type { Artifact, ArtifactKey, Origin, Part } from "../../domain/artifact.ts";
import { TransferError } from "../../domain/failure.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import type { SourceVersion, StatedVersion, VersionFile } from "../../domain/sync-versions.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { Source } from "../registries/contract.ts";
import type { ContentSource } from "../store/content-source.ts";
import { type Batch, type BatchDeps, whenReachable } from "./context.ts";

/** What the control plane is asked for at once; it may answer fewer. */
const ASKED_AT_ONCE = 100;
/** What the store reads at once. */
const READ_AT_ONCE = 256;

/**
 * The hosted repository of a batch: its files as the batch tells of them, its versions as the control plane does, its
 * content from the store.
 */
export function openHostedSource(
  { content, controlPlane }: Pick<BatchDeps, "content" | "controlPlane">,
  { artifacts, source }: Pick<Batch, "artifacts" | "source">,
): Source {
  const files = new Map(artifacts.filter(({ version }) => version === "").map((artifact) => [artifact.name, artifact]));

  async function versionsOf(keys: ArtifactKey[], signal: AbortSignal): Promise<SourceVersion[]> {
    if (keys.length === 0) return [];
    const told = await whenReachable({ signal, heartbeat: () => {} }, () =>
      controlPlane.versions(source.repositoryId, keys),
    );
    if (told.length === 0)
      throw new TransferError("invalid", "the control plane tells nothing of the versions it was asked for");
    return told;
  }

  return {
    async describe(keys, signal) {
      const versions = keys.filter(({ version }) => version !== "").slice(0, ASKED_AT_ONCE);
      const told = (await versionsOf(versions, signal)).values();
      const described: (Artifact | TransferError | null)[] = [];
      for (const { name, version } of keys) {
        const next = version === "" ? fileArtifact(files.get(name)) : versionArtifact(told.next().value);
        if (next === undefined) break;
        described.push(next);
      }
      return described;
    },
    ...hostedContent(content),
  };
}

/** Content of hosted artifacts, whose sha256 is always known. */
export function hostedContent(content: Pick<ContentSource, "open" | "readSmall">): Omit<Source, "describe"> {
  return {
    async open(_artifact, part, offset, signal) {
      const { size, stream } = await content.open(sha256Of(part), { start: offset }, signal);
      return { size, chunks: stream };
    },
    async openSmall(parts, signal) {
      const found = new Map<string, Buffer>();
      for (let at = 0; at < parts.length; at += READ_AT_ONCE) {
        const read = await content.readSmall(parts.slice(at, at + READ_AT_ONCE).map(sha256Of), signal);
        for (const [sha256, bytes] of read) found.set(sha256, bytes);
      }
      return found;
    },
    damaged: (part, found) =>
      new TransferError(
        "invalid",
        `its content in the local store is damaged (${found}, not sha256:${sha256Of(part)}): upload the file again`,
      ),
  };
}

/** Every content of the store has one. */
const sha256Of = ({ digests }: Part): string => digests.sha256 ?? "";

/** Null when the file was deleted. */
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

function originOf({ createdBy, createdDate, lastModifiedBy, lastModifiedDate }: BatchArtifact): Origin | null {
  if (createdBy === null || createdDate === null || lastModifiedBy === null || lastModifiedDate === null) return null;
  return { createdBy, createdDate, lastModifiedBy, lastModifiedDate };
}

function versionArtifact(told: SourceVersion | undefined): Artifact | TransferError | null | undefined {
  switch (told?.kind) {
    case undefined:
      return undefined;
    case "gone":
      return null;
    case "tooMany":
      return new TransferError(
        "tooLarge",
        `it has ${told.files} files, more than one version can be sent with (${SYNC_LIMITS.versionFiles})`,
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
  return { name, version, parts: files.map(toPart), digest, document, tags: distTags, ...siblings, origin };
}

function toPart({ path, size, sha256, metadata, ...origin }: VersionFile): Part {
  return { path, size, digests: { sha256 }, metadata, origin };
}
