import { compareNpmVersions } from "./version.ts";
import type { ConflictStrategy } from "../vocabulary.ts";

type TagQuestion = {
  strategy: ConflictStrategy;
  /** False: no tag is set except a `latest` that the target lacks, so that the package can be installed. */
  includeMetadata: boolean;
  /** Tags of the source with their versions: all tags of a package, or those of one version. */
  source: ReadonlyMap<string, string>;
  /**
   * Whether the source has a version of the package; null: it is not known, and then a `latest` that
   * exists at the target moves only to a newer version.
   */
  sourceHas: ((version: string) => boolean) | null;
  target: ReadonlyMap<string, string>;
  targetHas: (version: string) => boolean;
};

/**
 * Whether `latest` is set as at the source if the source's versions are known, even to an older version, or
 * away from a version that the source lacks.
 */
const FOLLOWS = { OVERWRITE: true, SKIP: false, FAST_FAIL: false } satisfies Record<
  ConflictStrategy,
  boolean
>;

/**
 * Returns the tags, with their versions, that a replication changes at the target: those of the source
 * whose version the target has (without `includeMetadata`, only a `latest` that the target lacks). Other
 * tags of the target stay. Under OVERWRITE, `latest` follows the source if the source's versions are known.
 * Else it moves only to a newer version, and not from a version that the source is known to lack.
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
