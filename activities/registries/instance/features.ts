import type {
  DescribedEntry,
  FileAnswer,
  Statement,
  SyncFeature,
} from "../../../domain/sync.ts";
import type {
  DescribedVersion,
  VersionsAnswer,
  VersionsStatement,
} from "../../../domain/sync-versions.ts";
import { sendFiles, type RemoteRepository, type SendHooks } from "./send.ts";
import { createUploadsWithoutDigest, type UploadsWithoutDigest } from "./uploads.ts";
import { sendVersions } from "./versions.ts";
import type { Wire } from "./wire.ts";

/** Calls that declare contents which the source has not read, so that their sha256 or size may be missing. */
export type ByOtherDigests = {
  sendFiles: (
    remote: RemoteRepository,
    statement: Statement<DescribedEntry>,
    contents: Uint8Array[],
    hooks: SendHooks,
  ) => Promise<FileAnswer[]>;
  sendVersions: (
    remote: RemoteRepository,
    statement: VersionsStatement<DescribedVersion>,
    contents: Uint8Array[],
    hooks: SendHooks,
  ) => Promise<VersionsAnswer>;
};

/**
 * The calls that only instances with a feature understand; a client returns them after it has read the capabilities
 * (`InstanceClient.feature`).
 */
export type FeatureCalls = {
  uploadsWithoutDigest: UploadsWithoutDigest;
  versionsByOtherDigests: ByOtherDigests;
};

export function createFeatureCalls(wire: Wire) {
  return {
    uploadsWithoutDigest: createUploadsWithoutDigest(wire),
    versionsByOtherDigests: {
      sendFiles: (remote, statement, contents, hooks) =>
        sendFiles(wire, remote, statement, contents, hooks),
      sendVersions: (remote, statement, contents, hooks) =>
        sendVersions(wire, remote, statement, contents, hooks),
    },
  } satisfies FeatureCalls & Record<SyncFeature, object>;
}
