import { foldersAbove, nameOf, parentOf } from "./path.ts";
import type { TaskObject } from "./task.ts";
import { matchesWildcard } from "./wildcard.ts";

type Constraints = Pick<TaskObject, "packageConstraints" | "pathConstraints">;

/**
 * Which files of its repository a task's object means: all without constraints; else those that a path names, those below a folder that a
 * path names, and those directly in a folder that match a path with `*` in its last segment. The same as a plan of the object finds.
 */
export function objectMatcher({ packageConstraints, pathConstraints }: Constraints): (fullPath: string) => boolean {
  const paths = (pathConstraints ?? []).map(({ path }) => path);
  if (paths.length === 0) return () => (packageConstraints ?? []).length === 0;
  const named = new Set(paths);
  if (named.has("/")) return () => true;
  const patterns = new Map<string, string[]>();
  for (const path of paths.filter((each) => nameOf(each).includes("*"))) {
    const folder = parentOf(path);
    patterns.set(folder, [...(patterns.get(folder) ?? []), nameOf(path)]);
  }
  return (fullPath) => {
    if (named.has(fullPath) || foldersAbove(fullPath).some((folder) => named.has(folder))) return true;
    const name = nameOf(fullPath);
    return patterns.get(parentOf(fullPath))?.some((pattern) => matchesWildcard(pattern, name)) ?? false;
  };
}
