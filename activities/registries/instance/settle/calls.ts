import { hash } from "node:crypto";
import { TransferError } from "../../../../domain/failure.ts";
import { versionDigest } from "../../../../domain/maven/layout.ts";
import type {
  DescribedEntry,
  DescribedFile,
  StatedFile,
  UploadClaim,
  UploadRequest,
} from "../../../../domain/sync.ts";
import type {
  DescribedVersion,
  StatedType,
  StatedVersion,
  VersionFile,
} from "../../../../domain/sync-versions.ts";
import type { InstanceClient } from "../client.ts";
import type { ByOtherDigests } from "../features.ts";
import type { UploadsWithoutDigest } from "../uploads.ts";

/**
 * The calls for contents at an instance. `takesUnread`: whether the instance accepts contents whose
 * sha256 and size are not known yet.
 */
export type Calls = ByOtherDigests & UploadsWithoutDigest & { takesUnread: boolean };

export async function callsOf(
  client: InstanceClient,
  signal: AbortSignal,
): Promise<Calls> {
  const uploads = await client.feature("uploadsWithoutDigest", signal);
  const statements = await client.feature("versionsByOtherDigests", signal);
  return uploads && statements
    ? { ...uploads, ...statements, takesUnread: true }
    : callsOfOlder(client);
}

/**
 * The calls for an instance of an older release, which requires the sha256 and the size of each content and the digest
 * of each version.
 */
function callsOfOlder(client: InstanceClient): Calls {
  return {
    takesUnread: false,
    sendFiles(remote, statement, contents, hooks) {
      return client.sendFiles(
        remote,
        { ...statement, files: statement.files.map(statedEntry) },
        contents,
        hooks,
      );
    },
    sendVersions(remote, statement, contents, hooks) {
      const versions = statement.versions.map((version) =>
        statedVersion(statement.type, version),
      );
      return client.sendVersions(remote, { ...statement, versions }, contents, hooks);
    },
    startUpload: (known, signal) =>
      client.startUpload(knownContent(known, "an upload"), signal),
    async finishUpload(id, expected, _sent, signal) {
      const content = knownContent(expected, "an upload");
      await client.finishUpload(id, content, signal);
      return { id, offset: content.size, done: true, ...content };
    },
  };
}

const statedEntry = (file: DescribedEntry): StatedFile => ({
  ...file,
  ...knownContent(file, file.path),
});
const statedFile = (file: DescribedFile): VersionFile => ({
  ...file,
  ...knownContent(file, file.path),
});

function statedVersion(type: StatedType, version: DescribedVersion): StatedVersion {
  const files = version.files.map(statedFile);
  return { ...version, digest: version.digest ?? VERSION_DIGESTS[type](files), files };
}

/**
 * Functions that compute the digest of a whole version from its files, as the target instance does; by
 * repository type.
 */
const VERSION_DIGESTS = {
  MAVEN: (files) => versionDigest(files, (text) => hash("sha256", text)),
  NPM: (files) => files.map(({ sha256 }) => `sha256:${sha256}`).join(),
} satisfies Record<StatedType, (files: readonly VersionFile[]) => string>;

function knownContent({ sha256, size }: UploadClaim, what: string): UploadRequest {
  if (typeof sha256 === "string" && typeof size === "number") return { sha256, size };
  const problem = `sha256 and size of ${what} must be known for an instance of an older release`;
  throw new TransferError(
    "unsupported",
    `${problem}: bring that instance to this release`,
  );
}
