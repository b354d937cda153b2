import {
  isChecksum,
  isMetadata,
  isRelease,
  mavenFolder,
  mavenPackage,
  parseMavenPath,
} from "../../../domain/maven/layout.ts";
import type { Decided, DescribedFile, FileAnswer, Statement } from "../../../domain/sync.ts";
import type { DbOrTx } from "../../open.ts";
import { type Packagings, recordMavenFiles } from "./record.ts";
import { auditOf, type Beside, refused, type StatableRepository, unchangeable } from "../stated-applying.ts";
import { findPackage, findVersion, tellVersion } from "../versions.ts";

/**
 * Why a file that is stated by its path cannot be there: such files keep Maven's rules as if they had been deployed.
 */
export function judgeMavenFile(
  repository: StatableRepository,
  path: string,
  { existing, comparison }: Beside,
  strategy: Statement["conflictStrategy"],
): Decided<FileAnswer> | undefined {
  if (isChecksum(path) || isMetadata(path))
    return refused("forbidden", `${path} is made by the server out of what it has: replicate the files it speaks of`);
  if (strategy !== "OVERWRITE" || existing === null || comparison !== "different") return undefined;
  return judgeReplacing(repository, path, existing);
}

export const isInLayout = (path: string): boolean => parseMavenPath(path) !== null;

/** Why a file that is there with other content must stay; undefined when it may be replaced. */
function judgeReplacing(
  { allowOverwrite }: StatableRepository,
  path: string,
  existing: string,
): Decided<FileAnswer> | undefined {
  const file = parseMavenPath(path);
  if (file === null || allowOverwrite || !isRelease(file.version)) return undefined;
  return unchangeable(`${path} is released there with other content`, existing);
}

/** A file's metadata changed, and with it its version, where that is there. */
export function tellStatedFile(tx: DbOrTx, repository: StatableRepository, path: string, now: number): void {
  const file = parseMavenPath(path);
  const owner = file && findPackage(tx, repository.id, mavenPackage(file));
  const row = owner && findVersion(tx, owner.id, file.version);
  if (row) tellVersion(tx, repository, owner.name, row, now);
}

/** Brings the versions in step with the files that were written. */
export function recordStatedFiles(
  tx: DbOrTx,
  repository: StatableRepository,
  files: readonly DescribedFile[],
  now: number,
  packagings: Packagings,
): void {
  const versions = new Map<string, DescribedFile[]>();
  for (const file of files) {
    const parsed = parseMavenPath(file.path);
    if (parsed === null) continue;
    const folder = mavenFolder(mavenPackage(parsed), parsed.version);
    versions.set(folder, [...(versions.get(folder) ?? []), file]);
  }
  for (const [first, ...others] of versions.values()) {
    if (first)
      recordMavenFiles(
        tx,
        repository,
        [first, ...others].map(({ path }) => path),
        auditOf(first),
        now,
        packagings,
      );
  }
}
