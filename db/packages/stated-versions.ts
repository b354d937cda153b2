import type { Decided } from "../../domain/sync.ts";
import type { StatedType, VersionAnswer } from "../../domain/sync-versions.ts";
import { haveBlobs } from "../content/blobs.ts";
import { type Db, write } from "../open.ts";
import {
  type Applying,
  type JudgedVersion,
  Refused,
  type StatableRepository,
  type VersionRules,
} from "./stated-applying.ts";
import { PACKAGE_TYPES, type StatedPackageType } from "./types.ts";

/**
 * Applies a declaration of versions as far as the rules allow: compares each version with the
 * existing one and writes its files and its row, in one transaction. Contents that were sent with
 * the declaration are registered before. `stopped`: an earlier version met a conflict under
 * FAST_FAIL. Returns an answer for each version, in the order of `versions`.
 */
export function applyVersions(
  db: Db,
  repository: StatableRepository & { type: StatedType },
  versions: readonly JudgedVersion[],
  rules: VersionRules,
  stopped = false,
): Decided<VersionAnswer>[] {
  const { apply } = PACKAGE_TYPES[repository.type];
  return write(db, (tx) => {
    const digests = versions.flatMap(({ files }) =>
      files.flatMap(({ sha256 }) => sha256 ?? []),
    );
    const have = haveBlobs(db, digests, rules.now);
    const applying: Applying = {
      db,
      tx,
      repository,
      rules,
      has: (sha256) => have.has(sha256),
    };
    let over = stopped;
    return versions.map((version): Decided<VersionAnswer> => {
      if (over) return { result: "stopped" };
      const answer = version.verdict ?? applyOne(applying, apply, version);
      over = answer.result === "conflict" && rules.conflictStrategy === "FAST_FAIL";
      return answer;
    });
  });
}

/**
 * Applies one declared version; if it turns out to be refused, rolls back all of its changes and
 * returns the refusal.
 */
function applyOne(
  applying: Applying,
  apply: StatedPackageType["apply"],
  version: JudgedVersion,
): Decided<VersionAnswer> {
  try {
    return write(applying.db, (tx) => apply({ ...applying, tx }, version));
  } catch (error) {
    if (error instanceof Refused) return error.answer;
    // A RangeError is a stack overflow. Only the JSON of the document is processed recursively, so
    // the document is nested too deeply.
    if (error instanceof RangeError)
      return {
        result: "refused",
        reason: "content",
        message: `the document of ${version.package} ${version.version} is nested too deeply`,
      };
    throw error;
  }
}
