import { selectedVersions } from "../object-matcher.ts";
import { packageNameOf } from "../package-key.ts";
import type { PackageConstraint } from "../task.ts";

/**
 * Returns the names of the images that the constraints select (null = all). `versions`: by image, the tags
 * that its constraints name; all tags of the other images are selected, also of an image of which one
 * constraint names no tags.
 */
export function imageNames(constraints: PackageConstraint[] | null): {
  names: string[] | null;
  versions: Record<string, string[]>;
} {
  if (!constraints || constraints.length === 0) return { names: null, versions: {} };
  const selected = selectedVersions(constraints);
  const versions: Record<string, string[]> = {};
  for (const [name, named] of selected) if (named !== "all") versions[name] = [...named];
  return { names: [...selected.keys()], versions };
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
