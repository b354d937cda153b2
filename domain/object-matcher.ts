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
 * A change in a hosted repository: of a file, with its path and no version, or of a package's version, with the
 * package's name in `path`.
 */
export type Changed = { path: string; version: string };

/**
 * Builds the test whether a change concerns a task object: every file and version without constraints; else the
 * versions of its packages, the files that a path names, those below a folder that it names, and those directly in a
 * folder that match `*` in its last segment. A plan finds the same ones; files that the server makes itself (checksums)
 * never match.
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
 * Whether the object's paths also mean files of versions, as in types with packages that are written by path. Changes
 * of such files are recorded as changes of their version.
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
  const named = new Map<string, Set<string> | "all">();
  for (const { packageKey, versions } of packages) {
    const name = packageNameOf(packageKey);
    const known = named.get(name) ?? new Set();
    const all = known === "all" || !versions || versions.length === 0;
    named.set(name, all ? "all" : new Set([...known, ...versions]));
  }
  return ({ path, version }) => {
    const versions = named.get(path);
    return versions === "all" || (versions?.has(version) ?? false);
  };
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
