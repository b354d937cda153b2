import { compareNpmVersions } from "./version.ts";
import type { ConflictStrategy } from "../vocabulary.ts";

export type TagQuestion = {
  strategy: ConflictStrategy;
  /** False: of the tags only a `latest` that the target lacks is set, so that the package can be installed. */
  includeMetadata: boolean;
  /** Tags of the source by the versions they name: all of a package, or those of one version. */
  source: ReadonlyMap<string, string>;
  /** Whether the source has a version of the package; null: it does not say, and `latest` only moves forwards. */
  sourceHas: ((version: string) => boolean) | null;
  target: ReadonlyMap<string, string>;
  targetHas: (version: string) => boolean;
};

/** Whether `latest` is what it is at the source, also when it was moved back or names a version of the target's own. */
const FOLLOWS = { OVERWRITE: true, SKIP: false, FAST_FAIL: false } satisfies Record<ConflictStrategy, boolean>;

/**
 * Decides which tags of an npm package a replication sets at the target, with their versions. Tags follow the source
 * where their version is at the target; tags that the source does not have stay. `latest` follows only under OVERWRITE:
 * else it moves to newer versions alone, and never away from a version that the source does not have.
 */
export function decideTags(question: TagQuestion): Map<string, string> {
  const { source, target, targetHas } = question;
  return new Map(
    [...source].filter(([tag, version]) => {
      const there = target.get(tag);
      if (there === version || !targetHas(version)) return false;
      if (tag === "latest") return there === undefined || movesLatest(question, there, version);
      return question.includeMetadata;
    }),
  );
}

function movesLatest({ strategy, includeMetadata, sourceHas }: TagQuestion, from: string, to: string): boolean {
  if (!includeMetadata) return false;
  if (FOLLOWS[strategy] && sourceHas !== null) return true;
  return compareNpmVersions(to, from) > 0 && (sourceHas === null || sourceHas(from));
}
