import { packageNameOf } from "./package-key.ts";
import { foldersAbove, nameOf, parentOf } from "./path.ts";
import { isComputed, isHostedFileType, isHostedPackageType } from "./repository-types.ts";
import type { PackageConstraint, PathConstraint, TaskObject } from "./task.ts";
import { matchesWildcard } from "./wildcard.ts";

type Constraints = Pick<
  TaskObject,
  "repoType" | "packageConstraints" | "pathConstraints"
>;

/**
 * A change in a hosted repository. Of a file: `path` is its path, and `version` is "". Of a package's
 * version: `path` is the package's name.
 */
export type Changed = { path: string; version: string };

/**
 * Returns a function that tests whether a change concerns the object. An object without constraints
 * matches everything. Otherwise it matches versions of its packages, files that a path names, files below
 * a folder that a path names, and files directly in a folder whose names match a path's last segment with
 * `*`. A plan of the object selects the same artifacts. Files that the server itself makes, such as
 * checksums in a Maven repository, never match.
 */
export function objectMatcher({
  repoType,
  packageConstraints,
  pathConstraints,
}: Constraints): (changed: Changed) => boolean {
  const packages = packageConstraints ?? [];
  const paths = pathConstraints ?? [];
  const all = packages.length + paths.length === 0;
  const meansVersion = all ? () => true : versionMatcher(packages);
  const meansFile = all ? () => true : fileMatcher(paths);
  return (changed) =>
    changed.version === ""
      ? meansFile(changed.path) && !isComputed(repoType, changed.path)
      : meansVersion(changed);
}

/**
 * Checks whether the object has paths that may match files of package versions, as for Maven, whose
 * packages are uploaded file by file. The log of events records a change of such a file as a change of its
 * version.
 */
export function meansFilesOfVersions({
  repoType,
  pathConstraints,
}: Pick<TaskObject, "repoType" | "pathConstraints">): boolean {
  return (
    isHostedPackageType(repoType) &&
    isHostedFileType(repoType) &&
    (pathConstraints ?? []).length > 0
  );
}

function versionMatcher(
  packages: readonly PackageConstraint[],
): (changed: Changed) => boolean {
  const named = selectedVersions(packages);
  return ({ path, version }) => {
    const versions = named.get(path);
    return versions === "all" || (versions?.has(version) ?? false);
  };
}

/** Returns the versions that constraints select of each package that they name; "all" if one names no versions. */
export function selectedVersions(
  packages: readonly PackageConstraint[],
): Map<string, Set<string> | "all"> {
  const named = new Map<string, Set<string> | "all">();
  for (const { packageKey, versions } of packages) {
    const name = packageNameOf(packageKey);
    const known = named.get(name) ?? new Set();
    const all = known === "all" || !versions || versions.length === 0;
    named.set(name, all ? "all" : new Set([...known, ...versions]));
  }
  return named;
}

function fileMatcher(
  constraints: readonly PathConstraint[],
): (fullPath: string) => boolean {
  const paths = constraints.map(({ path }) => path);
  const named = new Set(paths);
  if (named.has("/")) return () => true;
  const patterns = new Map<string, string[]>();
  for (const path of paths.filter((each) => nameOf(each).includes("*"))) {
    const folder = parentOf(path);
    patterns.set(folder, [...(patterns.get(folder) ?? []), nameOf(path)]);
  }
  return (fullPath) => {
    if (named.has(fullPath) || foldersAbove(fullPath).some((folder) => named.has(folder)))
      return true;
    const name = nameOf(fullPath);
    return (
      patterns
        .get(parentOf(fullPath))
        ?.some((pattern) => matchesWildcard(pattern, name)) ?? false
    );
  };
}
