import { eq } from "drizzle-orm";
import { isSnapshot, type MavenFile } from "../../domain/maven.ts";
import type { ArtifactMetadata } from "../../domain/maven-metadata.ts";
import type { DbOrTx } from "../open.ts";
import { version } from "../schema/packages.ts";
import { mavenFiles, type MavenNode } from "./maven-record.ts";
import { findPackage } from "./versions.ts";

type Folder = { group: string; artifact: string };

/** The artifact whose versions lie in the folder `path`, if it is one. */
export function artifactIn(db: DbOrTx, repositoryId: number, { group, artifact }: Folder): ArtifactMetadata | null {
  const found = findPackage(db, repositoryId, `${group}:${artifact}`);
  if (!found) return null;
  const rows = db.select({ name: version.name }).from(version).where(eq(version.packageId, found.id)).all();
  return { group, artifact, versions: rows.map(({ name }) => name), lastUpdated: found.lastModifiedDate };
}

/** The files of a snapshot; null where there is none. */
export function snapshotIn(db: DbOrTx, repositoryId: number, { group, artifact, version: name }: Pick<MavenFile, "group" | "artifact" | "version">): MavenNode[] | null {
  if (!isSnapshot(name)) return null;
  const files = mavenFiles(db, repositoryId, `${group}:${artifact}`, name);
  return files.length > 0 ? files : null;
}

/** Those of the artifacts of a group that are there. */
export function knownArtifacts(db: DbOrTx, repositoryId: number, group: string, artifacts: readonly string[]): Set<string> {
  return new Set(artifacts.filter((artifact) => findPackage(db, repositoryId, `${group}:${artifact}`) !== undefined));
}
