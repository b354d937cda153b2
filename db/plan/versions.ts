import { sql } from "drizzle-orm";
import { addLeftOut } from "../../domain/left-out.ts";
import { parsePackageKey } from "../../domain/package-key.ts";
import { isComputed } from "../../domain/repository-types.ts";
import type { PackageConstraint } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { DbOrTx } from "../open.ts";
import {
  type Cursor,
  insertPlanned,
  insertProblem,
  type PlannedRow,
  type Progress,
  type Where,
} from "./rows.ts";
import { fileTypeOf, packageTypeOf } from "../packages/types.ts";
import { findPackage } from "../packages/versions.ts";

/**
 * Plans the next versions of all packages of a repository, beginning with the rest of the package
 * in which the last page ended.
 */
export function planVersions(
  tx: DbOrTx,
  where: Where,
  type: RepositoryType,
  cursor: Cursor,
  room: number,
): Progress {
  const { afterName, afterVersion } = cursor;
  const rest =
    afterName === ""
      ? []
      : readVersions(
          tx,
          where,
          type,
          sql`k.name = ${afterName} AND v.name > ${afterVersion}`,
          room,
        );
  const others =
    rest.length === room
      ? []
      : readVersions(tx, where, type, sql`k.name > ${afterName}`, room - rest.length);
  return planRows(tx, where, cursor, [...rest, ...others], room);
}

/**
 * Plans the next versions of one package: all of them, or those that the constraint names. A
 * package or a named version that does not exist is planned as a problem if `where.lacking` is
 * "fails".
 */
export function planPackage(
  tx: DbOrTx,
  where: Where,
  type: RepositoryType,
  wanted: PackageConstraint,
  cursor: Cursor,
  room: number,
): Progress {
  const { packageKey, versions } = wanted;
  const name = parsePackageKey(packageKey)?.name ?? packageKey;
  if (!findPackage(tx, where.repositoryId, name)) {
    insertProblem(
      tx,
      where,
      { name },
      `package ${packageKey} is not in ${where.place}: check its name`,
    );
    return { looked: 1, goesOn: false, cursor };
  }
  if (versions && versions.length > 0)
    return planChosen(tx, where, { packageKey, name, versions }, cursor, room);
  const rest = planRows(
    tx,
    where,
    cursor,
    readVersions(
      tx,
      where,
      type,
      sql`k.name = ${name} AND v.name > ${cursor.afterVersion}`,
      room,
    ),
    room,
  );
  if (!rest.goesOn && !rest.cursor.found)
    insertProblem(
      tx,
      where,
      { name },
      `package ${packageKey} of ${where.place} has no versions`,
    );
  return rest;
}

/** `own`: 1 for a version that is an artifact of its own, 0 for a part of another one. */
type Row = PlannedRow & { own: number };

/** Reads at most `room` versions, ordered by package name and version name. */
function readVersions(
  tx: DbOrTx,
  { repositoryId }: Where,
  type: RepositoryType,
  which: ReturnType<typeof sql>,
  room: number,
): Row[] {
  const isOwn =
    packageTypeOf(type)?.isOwn({
      packageId: sql`v.package_id`,
      name: sql`v.name`,
      digest: sql`v.digest`,
      document: sql`v.document`,
    }) ?? sql`1`;
  return tx.all<Row>(sql`
    SELECT k.name, v.name AS version, v.size, v.digest, ${isOwn} AS own
    FROM package k
    CROSS JOIN version v ON v.package_id = k.id
    WHERE k.repository_id = ${repositoryId} AND ${which}
    ORDER BY k.name, v.name LIMIT ${room}`);
}

function planRows(
  tx: DbOrTx,
  where: Where,
  cursor: Cursor,
  rows: readonly Row[],
  room: number,
): Progress {
  const own = rows.filter((row) => row.own === 1);
  insertPlanned(tx, where, own);
  const { name: afterName, version: afterVersion } = rows.at(-1) ?? {
    name: cursor.afterName,
    version: cursor.afterVersion,
  };
  const leftOut = addLeftOut(
    cursor.leftOut,
    rows.filter((row) => row.own !== 1),
  );
  const found = cursor.found || own.length > 0;
  return {
    looked: rows.length,
    goesOn: rows.length === room,
    cursor: { ...cursor, afterName, afterVersion, found, leftOut },
  };
}

type Chosen = { packageKey: string; name: string; versions: readonly string[] };

/**
 * Plans the next of the versions that a package constraint names; `cursor.chosen`: how many of them were
 * handled before.
 */
function planChosen(
  tx: DbOrTx,
  where: Where,
  { packageKey, name, versions }: Chosen,
  cursor: Cursor,
  room: number,
): Progress {
  const end = cursor.chosen + room;
  const wanted = [...new Set(versions.slice(cursor.chosen, end))];
  const rows = tx.all<PlannedRow>(sql`
    SELECT k.name, v.name AS version, v.size, v.digest
    FROM json_each(${JSON.stringify(wanted)}) j
    CROSS JOIN package k ON k.repository_id = ${where.repositoryId} AND k.name = ${name}
    CROSS JOIN version v ON v.package_id = k.id AND v.name = j.value`);
  insertPlanned(tx, where, rows);
  const found = new Set(rows.map(({ version }) => version));
  for (const version of wanted) {
    if (!found.has(version))
      insertProblem(
        tx,
        where,
        { name, version },
        `version ${version} of package ${packageKey} is not in ${where.place}`,
      );
  }
  return {
    looked: Math.min(room, versions.length - cursor.chosen),
    goesOn: versions.length > end,
    cursor: { ...cursor, chosen: end },
  };
}

type File = { path: string; size: number; sha256: string | null; live: number };

/**
 * Plans the next files that belong to no version; each is an artifact of its own. Expired files are
 * left out, and files that the server generates, because each repository makes its own.
 */
export function planLoose(
  tx: DbOrTx,
  where: Where,
  type: RepositoryType,
  cursor: Cursor,
  room: number,
): Progress {
  const { repositoryId, now } = where;
  const rows = tx.all<File>(sql`
    SELECT full_path AS path, size, sha256, expire_date IS NULL OR expire_date > ${now} AS live
    FROM node
    WHERE repository_id = ${repositoryId} AND full_path > ${cursor.afterName}
    ORDER BY full_path LIMIT ${room}`);
  const isLoose = (path: string) =>
    !isComputed(type, path) && !fileTypeOf(type)?.isPart(path);
  const loose = rows.filter(
    ({ path, sha256, live }) => sha256 !== null && live === 1 && isLoose(path),
  );
  insertPlanned(
    tx,
    where,
    loose.map(({ path, size, sha256 }) => ({
      name: path,
      version: "",
      size,
      digest: `sha256:${sha256}`,
    })),
  );
  return {
    looked: rows.length,
    goesOn: rows.length === room,
    cursor: { ...cursor, afterName: rows.at(-1)?.path ?? cursor.afterName },
  };
}
