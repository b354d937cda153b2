import { sql } from "drizzle-orm";
import { blobFolder, manifestFolder } from "../../../domain/image/layout.ts";
import { parentOf } from "../../../domain/path.ts";
import type { DbOrTx } from "../../open.ts";
import { imageManifest } from "../../schema/packages.ts";
import type { ImageKey } from "./find.ts";

type Sql = ReturnType<typeof sql>;

/** SQL: whether a manifest of the image names the blob. */
export const isNamed = (digest: Sql, repositoryId: Sql, image: Sql): Sql => sql`EXISTS (
  SELECT 1 FROM image_reference
  JOIN ${imageManifest} ON image_manifest.id = image_reference.manifest_id
  WHERE image_reference.digest = ${digest}
    AND image_manifest.repository_id = ${repositoryId}
    AND image_manifest.image = ${image})`;

/**
 * Deletes files and returns how many existed; touches their contents, which stay in the store for
 * at least a day.
 */
export function dropFiles(
  tx: DbOrTx,
  repositoryId: number,
  paths: string[],
  now: number,
): number {
  const list = JSON.stringify(paths);
  const inside = sql`
    repository_id = ${repositoryId} AND full_path IN (SELECT value FROM json_each(${list}))`;
  tx.run(sql`
    UPDATE blob SET touched_date = ${now}
    WHERE sha256 IN (SELECT sha256 FROM node WHERE ${inside})`);
  return tx.run(sql`DELETE FROM node WHERE ${inside}`).changes;
}

/** Deletes those of an image's folders, and of the folders above them, that are empty. */
export function dropEmptyFolders(tx: DbOrTx, { repositoryId, image }: ImageKey): void {
  const gone = (folder: string) =>
    tx.run(sql`
      DELETE FROM node
      WHERE repository_id = ${repositoryId}
        AND full_path = ${folder}
        AND folder = 1
        AND NOT EXISTS (
          SELECT 1 FROM node AS child
          WHERE child.repository_id = ${repositoryId} AND child.parent = ${folder})`)
      .changes > 0;
  gone(manifestFolder(image));
  gone(blobFolder(image));
  for (
    let folder = `/${image}`;
    folder !== "/" && gone(folder);
    folder = parentOf(folder)
  );
}
