import { hash } from "node:crypto";
import {
  isChecksum,
  mavenPackage,
  parseMavenPath,
  versionDigest,
} from "../../../domain/maven/layout.ts";
import type { DescribedVersion } from "../../../domain/sync-versions.ts";
import type { Refusal } from "../../../domain/sync.ts";
import { refused } from "../stated-applying.ts";

/**
 * Returns why a declared Maven version is invalid: it has files that are not its own, or a digest
 * that does not match its files. Undefined: it is valid.
 */
export function judgeMavenVersion({
  package: name,
  version,
  digest,
  files,
}: DescribedVersion): Refusal | undefined {
  const stranger = files.find(({ path }) => {
    const file = isChecksum(path) ? null : parseMavenPath(path);
    return file === null || mavenPackage(file) !== name || file.version !== version;
  });
  if (stranger)
    return refused(
      "path",
      `${stranger.path} is not a file of version ${version} of ${name}`,
    );
  if (digest === null) return undefined;
  const read = files.map(({ path, sha256 }) => ({ path, sha256: sha256 ?? "" }));
  const found = versionDigest(read, (text) => hash("sha256", text));
  return found === digest
    ? undefined
    : refused("digest", `its files have the digest ${found}, not the declared ${digest}`);
}
