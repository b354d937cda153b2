import { packageNameOf } from "../package-key.ts";
import type { PackageConstraint } from "../task.ts";

/**
 * Returns the names of the images that the constraints select (null = all). `versions`: by image, the tags
 * that a constraint names (the last such constraint of an image counts); all tags of the other images are
 * selected.
 */
export function imageNames(constraints: PackageConstraint[] | null): {
  names: string[] | null;
  versions: Record<string, string[]>;
} {
  if (!constraints || constraints.length === 0) return { names: null, versions: {} };
  const versions: Record<string, string[]> = {};
  for (const { packageKey, versions: wanted } of constraints) {
    if (wanted && wanted.length > 0) versions[packageNameOf(packageKey)] = wanted;
  }
  return {
    names: [...new Set(constraints.map(({ packageKey }) => packageNameOf(packageKey)))],
    versions,
  };
}

/** Returns the tags that an image gets at the target instead of its own; undefined = its own. */
export function targetTags(
  constraints: PackageConstraint[] | null,
  name: string,
): string[] | undefined {
  const found = constraints?.find(
    ({ packageKey }) => packageNameOf(packageKey) === name,
  )?.targetVersions;
  return found && found.length > 0 ? found : undefined;
}
