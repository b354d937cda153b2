import { eq, sql } from "drizzle-orm";
import { isSnapshot, type MavenFile } from "../../../domain/maven/layout.ts";
import type { ArtifactMetadata } from "../../../domain/maven/metadata.ts";
import type { DbOrTx } from "../../open.ts";
import { version } from "../../schema/packages.ts";
import { mavenFiles, type MavenNode } from "./record.ts";
import { findPackage } from "../versions.ts";

type Folder = { group: string; artifact: string };

/**
 * Returns the artifact whose versions are in the folder `group/artifact`; null when there is none.
 */
export function artifactIn(
  db: DbOrTx,
  repositoryId: number,
  { group, artifact }: Folder,
): ArtifactMetadata | null {
  const found = findPackage(db, repositoryId, `${group}:${artifact}`);
  if (!found) return null;
  const versions = db
    .select({ name: version.name, complete: version.complete })
    .from(version)
    .where(eq(version.packageId, found.id))
    .all();
  return { group, artifact, versions, lastUpdated: found.lastModifiedDate };
}

/**
 * Returns the files of a snapshot version; null when there is no such version, or it is a release.
 */
export function snapshotIn(
  db: DbOrTx,
  repositoryId: number,
  { group, artifact, version: name }: Pick<MavenFile, "group" | "artifact" | "version">,
): MavenNode[] | null {
  if (!isSnapshot(name)) return null;
  const files = mavenFiles(db, repositoryId, `${group}:${artifact}`, name);
  return files.length > 0 ? files : null;
}

/**
 * Returns those artifactIds in a group whose name and one of whose POMs say that they are plugins.
 */
export function pluginsIn(db: DbOrTx, repositoryId: number, group: string): string[] {
  // `name > group: AND name < group;` is the range of a group: ";" follows ":" in the order of
  // characters.
  const rows = db.all<{ name: string }>(sql`
    SELECT name FROM package
    WHERE repository_id = ${repositoryId}
      AND name > ${`${group}:`}
      AND name < ${`${group};`}
      AND (name GLOB '*:maven-*-plugin' OR name GLOB '*-maven-plugin')
      AND EXISTS (
        SELECT 1 FROM version, json_each(version.document, '$.packagings') AS pom
        WHERE version.package_id = package.id AND pom.value = 'maven-plugin')`);
  return rows.map(({ name }) => name.slice(group.length + 1));
}

/** Returns which of the given artifactIds exist in a Maven group. */
export function knownArtifacts(
  db: DbOrTx,
  repositoryId: number,
  group: string,
  artifacts: readonly string[],
): Set<string> {
  return new Set(
    artifacts.filter(
      (artifact) => findPackage(db, repositoryId, `${group}:${artifact}`) !== undefined,
    ),
  );
}
