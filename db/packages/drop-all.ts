import { eq, sql } from "drizzle-orm";
import type { Db, DbOrTx } from "../open.ts";
import { inPages } from "../pages.ts";
import { packages } from "../schema/packages.ts";

const PAGE = 2_000;

export function hasPackages(db: DbOrTx, repositoryId: number): boolean {
  return db.select({ id: packages.id }).from(packages).where(eq(packages.repositoryId, repositoryId)).limit(1).get() !== undefined;
}

/** Deletes the packages and versions of a repository, not their files; what was interrupted is finished by asking again. Yields between transactions. */
export async function dropPackages(db: Db, repositoryId: number): Promise<void> {
  const ofRepository = sql`SELECT id FROM package WHERE repository_id = ${repositoryId}`;
  await inPages(() => db.run(sql`DELETE FROM version WHERE id IN (SELECT v.id FROM version v WHERE v.package_id IN (${ofRepository}) LIMIT ${PAGE})`).changes);
  await inPages(() => db.run(sql`DELETE FROM package WHERE id IN (${ofRepository} LIMIT ${PAGE})`).changes);
  await inPages(() => db.run(sql`DELETE FROM image_manifest WHERE id IN (SELECT id FROM image_manifest WHERE repository_id = ${repositoryId} LIMIT ${PAGE})`).changes);
}
