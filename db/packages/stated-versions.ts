import type { StatedVersion, VersionAnswer } from "../../domain/sync-versions.ts";
import { haveBlobs } from "../blobs.ts";
import { type Db, write } from "../open.ts";
import { type Applying, Refused, type StatableRepository, type VersionRules } from "./stated-applying.ts";
import { applyMavenVersion } from "./stated-maven.ts";
import { applyNpmVersion } from "./stated-npm.ts";

/** A stated version, or why it cannot be, found out before. */
export type JudgedVersion = StatedVersion & { verdict?: VersionAnswer | undefined };

/**
 * Makes what another instance states of versions true, as far as the rules allow: decides each version by what is there and makes its files and its row,
 * in one transaction. Their contents are registered. `stopped`: an earlier one met a conflict under FAST_FAIL. Answers in the order of the versions.
 */
export function applyVersions(db: Db, repository: StatableRepository, versions: readonly JudgedVersion[], rules: VersionRules, stopped = false): VersionAnswer[] {
  return write(db, (tx) => {
    const digests = versions.flatMap(({ files }) => files.map(({ sha256 }) => sha256));
    const have = haveBlobs(db, digests, rules.now);
    const applying: Applying = { db, tx, repository, rules, has: (sha256) => have.has(sha256) };
    let over = stopped;
    return versions.map((version): VersionAnswer => {
      if (over) return { result: "stopped" };
      const answer = version.verdict ?? applyOne(applying, version);
      over = answer.result === "conflict" && rules.conflictStrategy === "FAST_FAIL";
      return answer;
    });
  });
}

/** All of it or nothing. */
function applyOne(applying: Applying, version: StatedVersion): VersionAnswer {
  const apply = applying.repository.type === "MAVEN" ? applyMavenVersion : applyNpmVersion;
  try {
    return write(applying.db, (tx) => apply({ ...applying, tx }, version));
  } catch (error) {
    if (error instanceof Refused) return error.answer;
    // The one thing here that recurses is what reads and writes a document.
    if (error instanceof RangeError) return { result: "refused", code: 250106, message: `the document of ${version.package} ${version.version} is nested too deeply` };
    throw error;
  }
}
