import { and, asc, desc, eq, type SQL, sql } from "drizzle-orm";
import { compareBuilds, isMainArtifact, isPom } from "../../domain/maven.ts";
import { newestOf } from "../../domain/maven-metadata.ts";
import { sortMavenVersions } from "../../domain/maven-order.ts";
import { latestVersion } from "../../domain/npm.ts";
import { manifestPath } from "../../domain/oci-layout.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { getNode } from "../nodes.ts";
import type { DbOrTx } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { packages, version } from "../schema/packages.ts";
import { mavenFiles } from "./maven-record.ts";
import { pathOf } from "./npm-delete.ts";
import { distTagsOf } from "./npm-record.ts";
import { isOwnVersion } from "./own-tags.ts";
import { findPackage, findVersion, type PackageRepository, type PackageRow, type VersionRow } from "./versions.ts";

/** A package with what its versions tell; `tags`: npm's dist-tags. */
export type PackageView = PackageRow & { versions: string[]; latest: string | null; description: string | null; tags: Map<string, string> };
/** `contentPath`: the file it is there for; `manifestPath`: of images. `metadata`: that file's. */
export type VersionView = VersionRow & { tags: string[]; contentPath: string | null; manifestPath: string | null; metadata: Record<string, string> };

/** `name`: the beginning of it. */
export function pagePackages(db: DbOrTx, repository: PackageRepository, name: string, offset: number, limit: number): { total: number; packages: PackageView[] } {
  const where = and(eq(packages.repositoryId, repository.id), name === "" ? undefined : startsWith(packages.name, name));
  const rows = db.select().from(packages).where(where).orderBy(asc(packages.name)).limit(limit).offset(offset).all();
  const counted = db.select({ n: sql<number>`count(*)` }).from(packages).where(where).get();
  return { total: counted?.n ?? 0, packages: rows.map((row) => toView(db, repository.type, row)) };
}

export function readPackage(db: DbOrTx, repository: PackageRepository, name: string): PackageView | null {
  const row = findPackage(db, repository.id, name);
  return row ? toView(db, repository.type, row) : null;
}

const ownVersions = (packageId: number, type: RepositoryType): SQL | undefined => and(eq(version.packageId, packageId), isOwnVersion(version.name, type));

function toView(db: DbOrTx, type: RepositoryType, row: PackageRow): PackageView {
  const { name, complete, lastModifiedDate } = version;
  const found = db.select({ name, complete }).from(version).where(ownVersions(row.id, type)).orderBy(asc(lastModifiedDate), asc(version.id)).all();
  const versions = found.map((each) => each.name);
  const tags = type === "NPM" ? distTagsOf(db, row.id) : new Map<string, string>();
  const latest = latestOf(type, found, tags);
  const description = type === "NPM" && latest !== null ? findVersion(db, row.id, latest)?.document?.["description"] : null;
  return { ...row, versions, latest, tags, description: typeof description === "string" ? description : null };
}

/** By the rule of the type; of images, the tag that was pushed last. */
function latestOf(type: RepositoryType, oldestFirst: readonly Pick<VersionRow, "name" | "complete">[], tags: ReadonlyMap<string, string>): string | null {
  const names = oldestFirst.map(({ name }) => name);
  if (type === "NPM") return latestVersion(tags.get("latest"), names);
  if (type === "MAVEN") return newestOf(sortMavenVersions(names), oldestFirst) ?? null;
  return names.at(-1) ?? null;
}

/** `name`: the beginning of it; null when there is no such package. The newest first. */
export function pageVersions(
  db: DbOrTx,
  repository: PackageRepository,
  wanted: { packageName: string; name: string },
  { offset, limit, now }: { offset: number; limit: number; now: number },
): { total: number; versions: VersionView[] } | null {
  const owner = findPackage(db, repository.id, wanted.packageName);
  if (!owner) return null;
  const where = and(ownVersions(owner.id, repository.type), wanted.name === "" ? undefined : startsWith(version.name, wanted.name));
  const rows = db.select().from(version).where(where).orderBy(desc(version.createdDate), desc(version.id)).limit(limit).offset(offset).all();
  const counted = db.select({ n: sql<number>`count(*)` }).from(version).where(where).get();
  const tags = repository.type === "NPM" ? [...distTagsOf(db, owner.id)] : [];
  const versions = rows.map((row) => {
    const paths = pathsOf(db, repository, owner.name, row);
    const path = paths.contentPath ?? paths.manifestPath;
    const metadata = path === null ? {} : (getNode(db, repository.id, path, now)?.metadata ?? {});
    return { ...row, ...paths, metadata, tags: tags.flatMap(([tag, of]) => (of === row.name ? [tag] : [])) };
  });
  return { total: counted?.n ?? 0, versions };
}

function pathsOf(db: DbOrTx, { id, type }: PackageRepository, packageName: string, row: VersionRow): Pick<VersionView, "contentPath" | "manifestPath"> {
  if (type === "NPM") return { contentPath: pathOf(packageName, row), manifestPath: null };
  if (type === "MAVEN") return { contentPath: mainFile(db, id, packageName, row.name), manifestPath: null };
  return { contentPath: null, manifestPath: manifestPath(packageName, row.digest) };
}

/** Of a Maven version its main artifact, of the newest build; else its POM. */
function mainFile(db: DbOrTx, repositoryId: number, packageName: string, name: string): string | null {
  const files = mavenFiles(db, repositoryId, packageName, name).sort((a, b) => compareBuilds(b.build, a.build));
  return (files.find(isMainArtifact) ?? files.find(isPom) ?? files[0])?.path ?? null;
}
