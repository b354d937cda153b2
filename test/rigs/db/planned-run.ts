import { sql } from "drizzle-orm";
import { putBlobs } from "../../../db/content/blobs.ts";
import type { Db } from "../../../db/open.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import { findRepository } from "../../../db/content/repositories.ts";
import { insertTask } from "../../../db/tasks/tasks.ts";
import { newId } from "../../../domain/ids.ts";
import type { TaskObject } from "../../../domain/task.ts";
import { addRecord } from "./rows.ts";
import { SETTING } from "./setting.ts";

export const TASK = {
  kind: "task",
  projectId: "p",
  replicaObjectType: "REPOSITORY",
  replicaType: "SCHEDULED",
  setting: SETTING,
  description: null,
  enabled: true,
  record: true,
  recordReserveDays: 30,
  nextExecutionTime: null,
} as const;

/** Opens the RUNNING record of a new task of project p; nothing is planned yet. */
export function openRun(
  db: Db,
  objects: TaskObject | TaskObject[],
  clusterIds: string[],
  now: number,
): string {
  const key =
    insertTask(db, { ...TASK, name: newId() }, [objects].flat(), clusterIds, {
      user: "tester",
      now,
    }) ?? "";
  return addRecord(db, key, now);
}

const SHA256 = "0".repeat(64);
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** Adds files to p/files; the store does not have their content. */
export function addFiles(db: Db, list: string[], now: number): void {
  putBlobs(db, [{ sha256: SHA256, md5: "0".repeat(32), size: 0, inline: true }], now);
  const files = list.map((fullPath) => ({ fullPath, sha256: SHA256, metadata: {} }));
  putNodes(
    db,
    findRepository(db, "p", "files") ?? { id: 0, projectId: "p", name: "files" },
    files,
    {
      overwrite: true,
      user: "tester",
      now,
    },
  );
}

const AUDIT_COLUMNS = sql`created_by, created_date, last_modified_by, last_modified_date`;
const AUDIT = sql`'tester', 0, 'tester', 0`;
const numbers = (count: number, from = 0) =>
  sql.raw(
    `WITH RECURSIVE n (i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${from + count})`,
  );
/** SQL for `i % of`. The number is written as text because SQLite treats a bound number as REAL. */
const rest = (of: number) => sql.raw(`(i % ${of})`);

/**
 * Adds the files /folder-{i % folders}/file-{i} to a repository in one statement: a million take some seconds. The
 * store does not have their content. `from`: the first i.
 */
export function addManyNodes(
  db: Db,
  repoName: string,
  count: number,
  { folders = 50, from = 0, projectId = "p" } = {},
): void {
  const id = findRepository(db, projectId, repoName)?.id ?? 0;
  db.run(sql`
    ${numbers(folders)}
    INSERT INTO node (repository_id, full_path, parent, name, folder, size, metadata, ${AUDIT_COLUMNS})
    SELECT ${id}, '/folder-' || i, '/', 'folder-' || i, 1, 0, '{}', ${AUDIT} FROM n WHERE true ON CONFLICT DO NOTHING`);
  db.run(sql`
    ${numbers(count, from)}
    INSERT INTO node (repository_id, full_path, parent, name, folder, size, sha256, md5, metadata, ${AUDIT_COLUMNS})
    SELECT ${id}, '/folder-' || ${rest(folders)} || '/file-' || i, '/folder-' || ${rest(folders)}, 'file-' || i,
      0, i % 100, ${SHA256}, ${"0".repeat(32)}, '{}', ${AUDIT} FROM n`);
}

/**
 * Adds versions 1.0.{i} of package-{i % packages} to a repository of p; `attached`: adds tags of attached manifests
 * instead.
 */
export function addManyVersions(
  db: Db,
  repoName: string,
  count: number,
  { packages = 5, attached = false } = {},
): void {
  const id = findRepository(db, "p", repoName)?.id ?? 0;
  const name = attached
    ? sql`'sha256-' || printf('%064d', i) || '.sig'`
    : sql`'1.0.' || i`;
  db.run(sql`
    ${numbers(packages)} INSERT INTO package (repository_id, name, ${AUDIT_COLUMNS})
    SELECT ${id}, 'package-' || i, ${AUDIT} FROM n WHERE true ON CONFLICT DO NOTHING`);
  db.run(sql`
    ${numbers(count)} INSERT INTO version (package_id, name, digest, size, complete, ${AUDIT_COLUMNS})
    SELECT k.id, ${name}, ${`sha256:${SHA256}`}, 10, 1, ${AUDIT} FROM n
      JOIN package k ON k.repository_id = ${id} AND k.name = 'package-' || ${rest(packages)}`);
  if (attached) addSubjects(db, id, count, packages);
}

/** Adds the manifests to which the attached tags belong; one file stands for all of them. */
function addSubjects(db: Db, id: number, count: number, packages: number): void {
  addManyNodes(db, "images", 1, { folders: 1 });
  const file = sql`(SELECT max(id) FROM node WHERE repository_id = ${id} AND folder = 0)`;
  const columns = sql`image_manifest (repository_id, image, digest, node_id, media_type, size, created_date)`;
  db.run(sql`
    ${numbers(count)} INSERT INTO ${columns}
    SELECT ${id}, 'package-' || ${rest(packages)}, 'sha256:' || printf('%064d', i), ${file}, ${MANIFEST}, 1, 0 FROM n`);
  // OR IGNORE: the manifest of the tags themselves may already have been added above.
  db.run(sql`
    ${numbers(packages)} INSERT OR IGNORE INTO ${columns}
    SELECT ${id}, 'package-' || i, ${`sha256:${SHA256}`}, ${file}, ${MANIFEST}, 1, 0 FROM n`);
}
