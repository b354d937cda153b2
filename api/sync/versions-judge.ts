import { PACKAGE_TYPES } from "../../db/packages/types.ts";
import { refused } from "../../db/packages/stated-applying.ts";
import { parsePath, PathError } from "../../domain/path.ts";
import type { Refusal } from "../../domain/sync.ts";
import type { DescribedVersion, StatedType } from "../../domain/sync-versions.ts";

/**
 * Returns why a declared version is refused regardless of what this instance holds: for a hostile path, a
 * digest over files whose sha256 is not stated, or a rule of its type. Returns undefined if it is not.
 */
export function judgeVersion(
  type: StatedType,
  version: DescribedVersion,
): Refusal | undefined {
  for (const { path } of version.files) {
    const problem = pathProblem(path);
    if (problem !== null) return refused("path", problem);
  }
  const unread =
    version.digest === null
      ? undefined
      : version.files.find(({ sha256 }) => sha256 === null);
  if (unread)
    return refused(
      "content",
      `the sha256 of ${unread.path} is not stated, so the digest of ${version.package} ${version.version} must be null`,
    );
  return PACKAGE_TYPES[type].judge(version);
}

function pathProblem(path: string): string | null {
  try {
    return parsePath(path) === path ? null : "the path must begin with a slash";
  } catch (error) {
    if (error instanceof PathError) return error.message;
    throw error;
  }
}
