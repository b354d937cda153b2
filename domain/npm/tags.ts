import { compareNpmVersions } from "./version.ts";
import type { ConflictStrategy } from "../vocabulary.ts";

type TagQuestion = {
  strategy: ConflictStrategy;
  /** False: the only tag that is set is a `latest` that the target lacks, so that the package can be installed. */
  includeMetadata: boolean;
  /** Tags of the source with their versions: all tags of a package, or those of one version. */
  source: ReadonlyMap<string, string>;
  /** Whether the source has a version of the package; null: unknown, and `latest` only moves forwards. */
  sourceHas: ((version: string) => boolean) | null;
  target: ReadonlyMap<string, string>;
  targetHas: (version: string) => boolean;
};

/** Whether `latest` follows the source, even when the source moved it back or the target names a version of its own. */
const FOLLOWS = { OVERWRITE: true, SKIP: false, FAST_FAIL: false } satisfies Record<
  ConflictStrategy,
  boolean
>;

/**
 * Returns the tags of an npm package, with their versions, that a replication sets at the target. A tag follows the
 * source if its version is present; tags that the source lacks stay. `latest` follows only under OVERWRITE: else it
 * only moves to newer versions, and never away from a version that the source lacks.
 */
export function decideTags(question: TagQuestion): Map<string, string> {
  const { source, target, targetHas } = question;
  return new Map(
    [...source].filter(([tag, version]) => {
      const there = target.get(tag);
      if (there === version || !targetHas(version)) return false;
      if (tag === "latest")
        return there === undefined || movesLatest(question, there, version);
      return question.includeMetadata;
    }),
  );
}

function movesLatest(
  { strategy, includeMetadata, sourceHas }: TagQuestion,
  from: string,
  to: string,
): boolean {
  if (!includeMetadata) return false;
  if (FOLLOWS[strategy] && sourceHas !== null) return true;
  return compareNpmVersions(to, from) > 0 && (sourceHas === null || sourceHas(from));
}
