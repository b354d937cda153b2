import { hash } from "node:crypto";
import { and, eq, sql } from "drizzle-orm";
import {
  isChecksum,
  mavenFolder,
  parseMavenPath,
  versionDigest,
} from "../../../domain/maven/layout.ts";
import { SYNC_LIMITS } from "../../../domain/sync.ts";
import type { SourceVersion } from "../../../domain/sync-versions.ts";
import { node } from "../../schema/content.ts";
import { type Reading, sourceVersion, toVersionFile } from "../stated-source.ts";
import type { PackageRow, VersionRow } from "../versions.ts";

/**
 * Reads a Maven version with the files of its folder, but without checksums. Answers `tooMany` if
 * the folder has more files than a declaration can have, and `gone` if the version has no files.
 */
export function readMavenVersion(
  { tx, repositoryId }: Reading,
  owner: PackageRow,
  row: VersionRow,
): SourceVersion {
  const inFolder = and(
    eq(node.repositoryId, repositoryId),
    eq(node.parent, mavenFolder(owner.name, row.name)),
    eq(node.folder, false),
  );
  const { n } = tx
    .select({ n: sql<number>`count(*)` })
    .from(node)
    .where(inFolder)
    .get() ?? { n: 0 };
  if (n > SYNC_LIMITS.versionFiles) return { kind: "tooMany", files: n };
  const rows = tx.select().from(node).where(inFolder).orderBy(node.name).all();
  const files = rows
    .filter(({ fullPath }) => !isChecksum(fullPath) && parseMavenPath(fullPath) !== null)
    .flatMap(toVersionFile);
  return sourceVersion(owner, row, {
    digest: versionDigest(files, (text) => hash("sha256", text)),
    files,
    distTags: [],
  });
}
