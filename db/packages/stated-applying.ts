import { and, eq } from "drizzle-orm";
import {
  type ClaimComparison,
  compareClaim,
  type ContentFacts,
} from "../../domain/content-digests.ts";
import { type OverQuota, overQuotaText } from "../../domain/quota.ts";
import type {
  Decided,
  DescribedFile,
  Refusal,
  RefusalReason,
} from "../../domain/sync.ts";
import type {
  DescribedVersion,
  FilePair,
  VersionAnswer,
  VersionsStatement,
} from "../../domain/sync-versions.ts";
import { auditOf, type By } from "../audit.ts";
import { type NodeStat, statPaths } from "../content/nodes.ts";
import { overQuota } from "../content/quotas.ts";
import type { Db, DbOrTx } from "../open.ts";
import { type NodeEntry, putNodes } from "../content/put-nodes.ts";
import { node } from "../schema/content.ts";
import {
  findPackage,
  findVersion,
  type PackageRepository,
  type VersionRow,
} from "./versions.ts";

/**
 * A declared version; `verdict`: the answer to it (refused or damaged) if that is known beforehand.
 * `fits`: its document was compared with its tarball; if false, an npm version is not created from
 * content in the store.
 */
export type JudgedVersion = DescribedVersion & {
  verdict?: Decided<VersionAnswer> | undefined;
  fits: boolean;
};

/**
 * Existing contents with their digests, by sha256, for comparing files that are declared without a
 * sha256.
 */
export type Facts = ReadonlyMap<string, ContentFacts>;

export type VersionRules = Pick<
  VersionsStatement,
  "conflictStrategy" | "includeMetadata"
> &
  By & { facts: Facts };

/**
 * What exists at the path of a declared file. `existing`: its sha256 (null: no file exists);
 * `comparison`: how it compares with the declared file.
 */
export type Beside = { existing: string | null; comparison: ClaimComparison };

/**
 * A hosted repository for which files or versions are declared. `allowOverwrite`: files of releases
 * may be replaced.
 */
export type StatableRepository = PackageRepository & { allowOverwrite: boolean };

/**
 * What the functions that apply one declaration share. `has`: whether a content is in the store.
 */
export type Applying = {
  db: Db;
  tx: DbOrTx;
  repository: StatableRepository;
  rules: VersionRules;
  has: (sha256: string) => boolean;
};

export const refused = (reason: RefusalReason, message: string): Refusal => ({
  result: "refused",
  reason,
  message,
});

/** Thrown to roll back a version that turned out to be refused while it was applied. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly answer: Refusal;

  constructor(answer: Refusal) {
    super(answer.message);
    this.answer = answer;
  }
}

export const blocked = (at: string): Refusal =>
  refused(
    "occupied",
    `${at} is a folder where a file should be, or a file where a folder should be`,
  );

export const beyond = (over: OverQuota): Refusal =>
  refused("quota", overQuotaText(over).en);

/**
 * Throws Refused if files that are to be sent would exceed a quota, so that a content that has no room is not asked
 * for. Files whose size is not known count nothing.
 */
export function mustFit(
  { tx, repository }: Applying,
  files: readonly DescribedFile[],
): void {
  const needed = files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const over = overQuota(tx, repository, needed);
  if (over !== null) throw new Refused(beyond(over));
}

const INSTEAD =
  "publish the content under another version, or choose the conflict strategy SKIP";

/**
 * Builds the refusal of OVERWRITE for a version or file that must not change. `why`: the beginning
 * of the message; `existing`: digest of what exists.
 */
export const unchangeable = (why: string, existing: string): Refusal => ({
  result: "refused",
  reason: "exists",
  message: `${why} and must not change: ${INSTEAD}`,
  existing,
});

export function versionThere(
  { tx, repository }: Applying,
  { package: name, version }: Pick<DescribedVersion, "package" | "version">,
): VersionRow | undefined {
  const owner = findPackage(tx, repository.id, name);
  return owner && findVersion(tx, owner.id, version);
}

/**
 * Returns the facts of the content at a path as `compareClaim` needs them; null when no file exists
 * there.
 */
function factsAt(found: NodeStat | undefined, facts: Facts): ContentFacts | null {
  if (!found?.sha256) return null;
  return facts.get(found.sha256) ?? { sha256: found.sha256, size: found.size };
}

/**
 * Compares a declared file with what exists at its path. If both have the same content, and it is
 * damaged here (`has` says no), the file counts as absent, so that it is sent again.
 */
export function compareAt(
  file: DescribedFile,
  found: NodeStat | undefined,
  facts: Facts,
  has: (sha256: string) => boolean,
): ClaimComparison {
  const comparison = compareClaim(file, factsAt(found, facts));
  const isDamaged = comparison === "same" && file.sha256 !== null && !has(file.sha256);
  return isDamaged ? "absent" : comparison;
}

/**
 * Pairs each declared file with what exists at its path. Throws Refused, which rolls the version
 * back, if a folder exists at one of the paths.
 */
export function pairFiles(
  { db, repository, rules, has }: Applying,
  files: readonly DescribedFile[],
): { pairs: FilePair[]; there: Map<string, NodeStat> } {
  const there = statPaths(
    db,
    repository.id,
    files.map(({ path }) => path),
    rules.now,
  );
  const pairs = files.map((file): FilePair => {
    const { path, sha256 } = file;
    const found = there.get(path);
    if (found?.folder) throw new Refused(blocked(path));
    return { path, sha256, comparison: compareAt(file, found, rules.facts, has) };
  });
  return { pairs, there };
}

/**
 * Writes those files of a version whose sha256 is declared; their contents are in the store. Throws
 * Refused, which rolls the version back, if a file or folder blocks a path.
 */
export function writeFiles(
  { db, repository, rules }: Applying,
  files: readonly DescribedFile[],
): void {
  const { user, now, includeMetadata } = rules;
  const entries = files.flatMap((file): NodeEntry[] => {
    const { path, sha256, metadata } = file;
    if (sha256 === null) return [];
    return [
      {
        fullPath: path,
        sha256,
        metadata: includeMetadata ? metadata : null,
        audit: auditOf(file),
        partOfVersion: true,
      },
    ];
  });
  for (const result of putNodes(db, repository, entries, {
    overwrite: true,
    user,
    now,
  })) {
    if (result.kind === "blocked") throw new Refused(blocked(result.at));
    if (result.kind === "overQuota") throw new Refused(beyond(result.over));
  }
}

/** Sets the metadata of existing files if it differs; returns whether any differed. */
export function setMetadata(
  { tx, repository }: Applying,
  files: readonly DescribedFile[],
  there: Map<string, NodeStat>,
): boolean {
  const changed = files.filter(({ path, metadata }) => {
    const found = there.get(path);
    return found !== undefined && differs(found.metadata, metadata);
  });
  for (const { path, metadata, lastModifiedBy, lastModifiedDate } of changed) {
    const where = and(eq(node.repositoryId, repository.id), eq(node.fullPath, path));
    tx.update(node)
      .set({ metadata, lastModifiedBy, lastModifiedDate })
      .where(where)
      .run();
  }
  return changed.length > 0;
}

export function differs(
  there: Record<string, string>,
  stated: Record<string, string>,
): boolean {
  const keys = Object.keys(stated);
  return (
    keys.length !== Object.keys(there).length ||
    keys.some((key) => stated[key] !== there[key])
  );
}
