import { and, eq, sql } from "drizzle-orm";
import { packageKeyOf } from "../../domain/package-key.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { tell } from "../content/events.ts";
import type { Audit } from "../audit.ts";
import type { DbOrTx } from "../open.ts";
import type { RepositoryKey } from "../content/put-nodes.ts";
import { distTag, packages, version } from "../schema/packages.ts";

export type PackageRow = typeof packages.$inferSelect;
export type VersionRow = typeof version.$inferSelect;
/** A hosted repository with its type, which decides whether it holds packages. */
export type PackageRepository = RepositoryKey & { type: RepositoryType };

/** A version to be written; its files already exist as nodes. */
export type VersionEntry = Pick<
  VersionRow,
  "name" | "digest" | "size" | "complete" | "document"
>;

export function findPackage(
  db: DbOrTx,
  repositoryId: number,
  name: string,
): PackageRow | undefined {
  return db
    .select()
    .from(packages)
    .where(and(eq(packages.repositoryId, repositoryId), eq(packages.name, name)))
    .get();
}

export function findVersion(
  db: DbOrTx,
  packageId: number,
  name: string,
): VersionRow | undefined {
  return db
    .select()
    .from(version)
    .where(and(eq(version.packageId, packageId), eq(version.name, name)))
    .get();
}

/**
 * Creates or changes a version, and creates its package if missing, in the caller's transaction. It
 * writes no event: call `tellVersion` after it if something has changed.
 */
export function putVersion(
  tx: DbOrTx,
  repositoryId: number,
  packageName: string,
  entry: VersionEntry,
  audit: Audit,
): VersionRow {
  const { lastModifiedBy, lastModifiedDate } = audit;
  const owner = tx
    .insert(packages)
    .values({ repositoryId, name: packageName, ...audit })
    .onConflictDoUpdate({
      target: [packages.repositoryId, packages.name],
      set: { lastModifiedBy, lastModifiedDate },
    })
    .returning({ id: packages.id })
    .get();
  return tx
    .insert(version)
    .values({ packageId: owner.id, ...entry, ...audit })
    .onConflictDoUpdate({
      target: [version.packageId, version.name],
      set: { ...entry, lastModifiedBy, lastModifiedDate },
    })
    .returning()
    .get();
}

/**
 * Writes the event that a version was created or changed, or that something was attached to it: a
 * referrer, a dist-tag. An incomplete version gets no event.
 */
export function tellVersion(
  tx: DbOrTx,
  repository: PackageRepository,
  packageName: string,
  { name, digest, complete }: Pick<VersionRow, "name" | "digest" | "complete">,
  now: number,
): void {
  if (!complete) return;
  const subject = packageKeyOf(repository.type, packageName);
  tell(tx, {
    projectId: repository.projectId,
    repoName: repository.name,
    kind: "version",
    subject,
    version: name,
    digest,
    createdDate: now,
  });
}

/**
 * Deletes the row of a version and the dist-tags that name it; deletes the package, too, when this
 * was its last version. The caller deletes the files.
 */
export function deleteVersionRow(
  tx: DbOrTx,
  { id, packageId, name }: Pick<VersionRow, "id" | "packageId" | "name">,
): void {
  tx.delete(version).where(eq(version.id, id)).run();
  tx.delete(distTag)
    .where(and(eq(distTag.packageId, packageId), eq(distTag.version, name)))
    .run();
  const isEmpty = sql`NOT EXISTS (SELECT 1 FROM version WHERE package_id = ${packageId})`;
  tx.run(sql`DELETE FROM dist_tag WHERE package_id = ${packageId} AND ${isEmpty}`);
  tx.run(sql`DELETE FROM package WHERE id = ${packageId} AND ${isEmpty}`);
}
