import { sql } from "drizzle-orm";
import { factsOf } from "../../domain/repository-types.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { DbOrTx } from "../open.ts";
import {
  type Cursor,
  insertProblem,
  lastSeq,
  type Progress,
  type Where,
} from "./rows.ts";

type Sql = ReturnType<typeof sql>;
/**
 * `meant`: SQL condition for the nodes that can be planned at all. Expired files are left out, and
 * files that the server generates, because each repository makes its own.
 */
type Paths = Where & { meant: Sql };

/**
 * Plans the next page of a path: a folder with everything below it, a file, or the files whose
 * names match `*` in the last segment. A path that matches nothing is planned as a problem if
 * `where.lacking` is "fails".
 */
export function planPath(
  tx: DbOrTx,
  where: Where,
  type: RepositoryType,
  path: string,
  cursor: Cursor,
  room: number,
): Progress {
  const live = sql`(expire_date IS NULL OR expire_date > ${where.now})`;
  const paths: Paths = {
    ...where,
    meant:
      factsOf(type).computed === null
        ? live
        : sql`${live} AND NOT is_computed(${type}, full_path)`,
  };
  const rest = planNodes(tx, paths, path, cursor, room);
  if (!rest.goesOn && !rest.cursor.found)
    insertProblem(
      tx,
      where,
      { name: path },
      `nothing matches path ${path} in ${where.place}`,
    );
  return rest;
}

function planNodes(
  tx: DbOrTx,
  where: Paths,
  path: string,
  cursor: Cursor,
  room: number,
): Progress {
  const node = tx.get<{ folder: number } | undefined>(sql`
    SELECT folder FROM node
    WHERE repository_id = ${where.repositoryId} AND full_path = ${path} AND ${where.meant}`);
  if (path === "/" || node?.folder) return planBelow(tx, where, path, cursor, room);
  if (!node) return planMatches(tx, where, path, cursor, room);
  insertFiles(tx, where, sql`full_path = ${path}`, sql`full_path`);
  return { looked: 1, goesOn: false, cursor: { ...cursor, found: true } };
}

/** Plans the next files below `folder`, ordered by path; reads nothing outside of the folder. */
function planBelow(
  tx: DbOrTx,
  where: Paths,
  folder: string,
  cursor: Cursor,
  room: number,
): Progress {
  const prefix = folder === "/" ? "/" : `${folder}/`;
  const after = cursor.afterName || prefix;
  const inside = sql`
    repository_id = ${where.repositoryId}
    AND full_path > ${after}
    AND full_path < ${afterPrefix(prefix)}`;
  const page = pageOf(tx, sql`full_path`, inside, room);
  if (page.last !== null)
    insertFiles(
      tx,
      where,
      sql`full_path > ${after} AND full_path <= ${page.last}`,
      sql`full_path`,
    );
  return {
    looked: page.n,
    goesOn: page.n === room,
    cursor: { ...cursor, afterName: page.last ?? after, found: true },
  };
}

/**
 * Plans the next files of a folder whose names match a pattern with `*` in the last segment. Files
 * that an earlier path has planned count as found.
 */
function planMatches(
  tx: DbOrTx,
  where: Paths,
  path: string,
  cursor: Cursor,
  room: number,
): Progress {
  const slash = path.lastIndexOf("/");
  const pattern = path.slice(slash + 1);
  if (!pattern.includes("*")) return { looked: 1, goesOn: false, cursor };
  const inFolder = sql`parent = ${path.slice(0, slash) || "/"} AND name > ${cursor.afterName}`;
  const page = pageOf(
    tx,
    sql`name`,
    sql`repository_id = ${where.repositoryId} AND ${inFolder}`,
    room,
  );
  if (page.last === null) return { looked: 1, goesOn: false, cursor };
  const matches = sql`${inFolder} AND name <= ${page.last} AND wildcard(${pattern}, name)`;
  insertFiles(tx, where, matches, sql`name`);
  const found = cursor.found || hasFile(tx, where, matches);
  return {
    looked: page.n,
    goesOn: page.n === room,
    cursor: { ...cursor, afterName: page.last, found },
  };
}

/** Returns the smallest string after all strings that begin with `prefix` (which ends with "/"). */
const afterPrefix = (prefix: string) => `${prefix.slice(0, -1)}0`;

const pageOf = (tx: DbOrTx, key: Sql, condition: Sql, room: number) =>
  tx.get<{ last: string | null; n: number }>(sql`
    SELECT max(at) AS last, count(*) AS n FROM (
      SELECT ${key} AS at FROM node
      WHERE ${condition}
      ORDER BY ${key} LIMIT ${room})`);

const files = ({ repositoryId, meant }: Paths, condition: Sql) => sql`
  FROM node
  WHERE repository_id = ${repositoryId}
    AND ${condition}
    AND folder = 0
    AND ${meant}`;

const hasFile = (tx: DbOrTx, where: Paths, condition: Sql) =>
  tx.get(sql`SELECT 1 ${files(where, condition)} LIMIT 1`) !== undefined;

/**
 * Plans the files that meet `condition` and are not planned yet, in the sequence that `order`
 * gives, by an index that `condition` also uses.
 */
function insertFiles(tx: DbOrTx, where: Paths, condition: Sql, order: Sql): void {
  const { recordId, object: objectIndex } = where;
  tx.run(sql`
    INSERT INTO plan (record_id, object, seq, name, version, size, digest)
    SELECT ${recordId}, ${objectIndex}, ${lastSeq(where)} + row_number() OVER (ORDER BY ${order}),
      full_path, '', size, 'sha256:' || sha256
    ${files(where, condition)}
      AND NOT EXISTS (
        SELECT 1 FROM plan p
        WHERE p.record_id = ${recordId}
          AND p.object = ${objectIndex}
          AND p.name = full_path
          AND p.version = '')`);
}
