import {
  isDistTag,
  isNpmName,
  tarballFile,
  tarballPath,
} from "../../../domain/npm/package.ts";
import { isNpmVersion } from "../../../domain/npm/version.ts";
import type { DescribedVersion } from "../../../domain/sync-versions.ts";
import type { Refusal } from "../../../domain/sync.ts";
import { refused } from "../stated-applying.ts";

/**
 * Returns why a declared npm version is invalid: it has invalid names, files other than its one
 * tarball, no document, or a digest that does not match its tarball. Undefined: it is valid.
 */
export function judgeNpmVersion({
  package: name,
  version,
  digest,
  files,
  document,
  distTags,
}: DescribedVersion): Refusal | undefined {
  if (!isNpmName(name))
    return refused("name", `${JSON.stringify(name)} is not a valid npm package name`);
  if (!isNpmVersion(version))
    return refused("name", `${JSON.stringify(version)} is not a valid npm version`);
  const tag = distTags.find((each) => !isDistTag(each));
  if (tag !== undefined)
    return refused("name", `${JSON.stringify(tag)} is not a valid dist-tag`);
  const path = tarballPath(name, tarballFile(name, version));
  const [tarball] = files;
  if (tarball?.path !== path || files.length > 1)
    return refused("path", `${name}@${version} must have exactly one file, ${path}`);
  if (document === null) return refused("content", `${name}@${version} has no document`);
  return digest === null || digest === `sha256:${tarball.sha256}`
    ? undefined
    : refused(
        "digest",
        `its tarball has the digest sha256:${tarball.sha256}, not the declared ${digest}`,
      );
}
