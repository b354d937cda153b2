import { inArray, sql } from "drizzle-orm";
import { IMAGE_TYPES } from "../../../domain/repository-types.ts";
import { type Db, write } from "../../open.ts";
import { repository } from "../../schema/content.ts";
import { dropEmptyFolders, dropFiles, isNamed } from "./drop-files.ts";

const DAY_MS = 24 * 3_600_000;
const STEP = 1_000;

type Row = { id: number; repositoryId: number; path: string; parent: string };

/**
 * Carries out one step of deleting image blobs that no manifest names and that were not touched for
 * a day: abandoned pushes, and layers of deleted manifests. Looks at the next nodes with an id
 * above `after`; returns the last id, null when there are no more.
 */
export function sweepImageBlobs(db: Db, after: number, now: number): number | null {
  return write(db, (tx) => {
    const page = sql`
      SELECT id, repository_id, full_path, parent, name, folder, last_modified_date FROM node
      WHERE id > ${after} ORDER BY id LIMIT ${STEP}`;
    const last = tx.get<{ id: number | null; n: number }>(
      sql`SELECT max(id) AS id, count(*) AS n FROM (${page})`,
    );
    const image = sql`substr(page.parent, 2, length(page.parent) - 7)`;
    const digest = sql`replace(page.name, '__', ':')`;
    const loose = tx.all<Row>(sql`
      SELECT page.id AS id, page.repository_id AS repositoryId, page.full_path AS path,
        page.parent AS parent
      FROM (${page}) AS page
      JOIN repository
        ON repository.id = page.repository_id
        AND ${inArray(repository.type, [...IMAGE_TYPES])}
      WHERE page.folder = 0
        AND page.last_modified_date < ${now - DAY_MS}
        AND page.parent LIKE '%/blobs'
        AND NOT ${isNamed(digest, sql`page.repository_id`, image)}`);
    for (const { repositoryId, path, parent } of loose) {
      dropFiles(tx, repositoryId, [path], now);
      dropEmptyFolders(tx, { repositoryId, image: parent.slice(1, -"/blobs".length) });
    }
    return last && last.n === STEP ? last.id : null;
  });
}
