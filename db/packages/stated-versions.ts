import type { StatedVersion, VersionAnswer } from "../../domain/sync-versions.ts";
import { type BlobRow, haveBlobs, putBlobs } from "../blobs.ts";
import { type Db, write } from "../open.ts";
import { type Applying, Refused, type StatableRepository, type VersionRules } from "./stated-applying.ts";
import { applyMavenVersion } from "./stated-maven.ts";
import { applyNpmVersion } from "./stated-npm.ts";

/** A stated version, or why it cannot be, found out before. */
export type JudgedVersion = StatedVersion & { verdict?: VersionAnswer | undefined };
type Blobs = readonly Omit<BlobRow, "touchedDate">[];

/**
 * Makes what another instance states of versions true, as far as the rules allow: registers `blobs`, whose content is durable, decides each version by
 * what is there and makes its files and its row, all in one transaction. Answers in the order of the versions.
 */
export function applyVersions(db: Db, repository: StatableRepository, versions: readonly JudgedVersion[], blobs: Blobs, rules: VersionRules): VersionAnswer[] {
  return write(db, (tx) => {
    putBlobs(tx, blobs, rules.now);
    const digests = versions.flatMap(({ files }) => files.map(({ sha256 }) => sha256));
    const have = haveBlobs(db, digests, rules.now);
    const applying: Applying = { db, tx, repository, rules, has: (sha256) => have.has(sha256) };
    let stopped = false;
    return versions.map((version): VersionAnswer => {
      if (stopped) return { result: "stopped" };
      const answer = version.verdict ?? applyOne(applying, version);
      stopped = answer.result === "conflict" && rules.conflictStrategy === "FAST_FAIL";
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
    throw error;
  }
}
