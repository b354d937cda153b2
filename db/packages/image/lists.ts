import { inArray, sql } from "drizzle-orm";
import { blobFolder } from "../../../domain/image/layout.ts";
import { IMAGE_TYPES } from "../../../domain/repository-types.ts";
import type { DbOrTx } from "../../open.ts";
import { repository } from "../../schema/content.ts";
import type { ImageKey } from "./find.ts";

type Cursor = { after: string; limit: number };

/** Returns an image's next `limit` tags after `after`, in the order of their bytes. */
export function listTags(
  db: DbOrTx,
  { repositoryId, image }: ImageKey,
  { after, limit }: Cursor,
): string[] {
  return db
    .all<{ name: string }>(
      sql`
        SELECT version.name AS name FROM version
        JOIN package ON package.id = version.package_id
        WHERE package.repository_id = ${repositoryId}
          AND package.name = ${image}
          AND version.name > ${after}
        ORDER BY version.name LIMIT ${limit}`,
    )
    .map(({ name }) => name);
}

/** Whether anything of an image exists: a manifest, or a blob that was pushed for one. */
export function hasImage(db: DbOrTx, { repositoryId, image }: ImageKey): boolean {
  const found = db.get<{ found: 0 | 1 }>(sql`
    SELECT EXISTS (
      SELECT 1 FROM image_manifest WHERE repository_id = ${repositoryId} AND image = ${image}
    ) OR EXISTS (
      SELECT 1 FROM node
      WHERE repository_id = ${repositoryId} AND parent = ${blobFolder(image)} AND folder = 0
    ) AS found`);
  return found?.found === 1;
}

/**
 * Returns the next `limit` tagged images after `after`, of all hosted repositories, by their full
 * names `{projectId}/{repoName}/{image}`.
 */
export function listImages(db: DbOrTx, { after, limit }: Cursor): string[] {
  const name = sql`repository.project_id || '/' || repository.name || '/' || package.name`;
  return db
    .all<{ name: string }>(
      sql`
        SELECT ${name} AS name FROM repository
        JOIN package ON package.repository_id = repository.id
        WHERE ${inArray(repository.type, [...IMAGE_TYPES])}
          AND repository.category = 'LOCAL'
          AND ${name} > ${after}
        ORDER BY 1 LIMIT ${limit}`,
    )
    .map((row) => row.name);
}
