import { compareNpmVersions } from "./version.ts";
import type { ConflictStrategy } from "../vocabulary.ts";

type TagQuestion = {
  strategy: ConflictStrategy;
  /** False: no tag is set except a `latest` that the target lacks, so that the package can be installed. */
  includeMetadata: boolean;
  /** Tags of the source with their versions: all tags of a package, or those of one version. */
  source: ReadonlyMap<string, string>;
  /**
   * Whether the source has a version of the package; null: unknown, so `latest` is only set to a newer
   * version.
   */
  sourceHas: ((version: string) => boolean) | null;
  target: ReadonlyMap<string, string>;
  targetHas: (version: string) => boolean;
};

/**
 * Whether `latest` is always set as at the source, even if the source has set it to an older version, or
 * the target's `latest` is a version that the source lacks.
 */
const FOLLOWS = { OVERWRITE: true, SKIP: false, FAST_FAIL: false } satisfies Record<
  ConflictStrategy,
  boolean
>;

/**
 * Returns the tags, with their versions, that a replication sets at the target: those of the source whose
 * version the target has. Tags that the source lacks stay. Except under OVERWRITE, `latest` only changes to
 * a newer version, and never from a version that the source lacks.
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
