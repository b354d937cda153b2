import { sql } from "drizzle-orm";
import { isChecksum, isMetadata, parseMavenPath } from "../../domain/maven.ts";
import { parsePackageKey } from "../../domain/package-key.ts";
import type { PackageConstraint } from "../../domain/task.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { DbOrTx } from "../open.ts";
import { type Cursor, insertPlanned, insertProblem, PAGE, type PlannedRow, type Progress, type Where } from "../runs/plan-rows.ts";
import { isOwnVersion } from "./own-tags.ts";
import { findPackage } from "./versions.ts";

/** The next versions of all packages of a repository. */
export function planVersions(tx: DbOrTx, where: Where, type: RepositoryType, cursor: Cursor): Progress {
  const { afterName, afterVersion } = cursor;
  const after = sql`k.name >= ${afterName} AND (k.name > ${afterName} OR v.name > ${afterVersion})`;
  return planRows(tx, where, type, cursor, after);
}

/** The next versions of one package, all or those that the constraint names; what is lacking is planned as that. */
export function planPackage(tx: DbOrTx, where: Where, type: RepositoryType, { packageKey, versions }: PackageConstraint, cursor: Cursor): Progress {
  const name = parsePackageKey(packageKey)?.name ?? packageKey;
  const lacking = (problem: string): Progress => {
    insertProblem(tx, where, { name }, problem);
    return { goesOn: false, cursor };
  };
  if (!findPackage(tx, where.repositoryId, name)) return lacking(`package ${packageKey} is not in ${where.place}: check its name`);
  if (versions && versions.length > 0) return planChosen(tx, where, { packageKey, name, versions }, cursor);
  const rest = planRows(tx, where, type, cursor, sql`k.name = ${name} AND v.name > ${cursor.afterVersion}`);
  if (!rest.goesOn && !rest.cursor.found) return lacking(`package ${packageKey} of ${where.place} has no versions`);
  return rest;
}

function planRows(tx: DbOrTx, where: Where, type: RepositoryType, cursor: Cursor, which: ReturnType<typeof sql>): Progress {
  const rows = tx.all<PlannedRow>(sql`
    SELECT k.name, v.name AS version, v.size, v.digest FROM package k CROSS JOIN version v ON v.package_id = k.id
    WHERE k.repository_id = ${where.repositoryId} AND ${which} AND ${isOwnVersion(sql`v.name`, type)}
    ORDER BY k.name, v.name LIMIT ${PAGE}`);
  insertPlanned(tx, where, rows);
  const last = rows.at(-1);
  if (!last) return { goesOn: false, cursor };
  return { goesOn: rows.length === PAGE, cursor: { ...cursor, afterName: last.name, afterVersion: last.version, found: true } };
}

type Chosen = { packageKey: string; name: string; versions: readonly string[] };

/** `cursor.afterNode`: how many of the named versions are planned. */
function planChosen(tx: DbOrTx, where: Where, { packageKey, name, versions }: Chosen, cursor: Cursor): Progress {
  const end = cursor.afterNode + PAGE;
  const wanted = [...new Set(versions)].slice(cursor.afterNode, end);
  const rows = tx.all<PlannedRow>(sql`
    SELECT k.name, v.name AS version, v.size, v.digest FROM json_each(${JSON.stringify(wanted)}) j
    CROSS JOIN package k ON k.repository_id = ${where.repositoryId} AND k.name = ${name}
    CROSS JOIN version v ON v.package_id = k.id AND v.name = j.value ORDER BY j.key`);
  insertPlanned(tx, where, rows);
  const found = new Set(rows.map(({ version }) => version));
  for (const version of wanted) {
    if (!found.has(version)) insertProblem(tx, where, { name, version }, `version ${version} of package ${packageKey} is not in ${where.place}`);
  }
  return { goesOn: wanted.length === PAGE, cursor: { ...cursor, afterNode: end } };
}

type File = { id: number; path: string; size: number; sha256: string | null; live: number };

/** The next files of a MAVEN repository that belong to no version: each is an artifact of its own. */
export function planLoose(tx: DbOrTx, where: Where, cursor: Cursor): Progress {
  const { repositoryId, now } = where;
  const rows = tx.all<File>(sql`
    SELECT id, full_path AS path, size, sha256, expire_date IS NULL OR expire_date > ${now} AS live FROM node
    WHERE repository_id = ${repositoryId} AND id > ${cursor.afterNode} ORDER BY id LIMIT ${PAGE}`);
  const loose = rows.filter(({ path, sha256, live }) => sha256 !== null && live === 1 && isLoose(path));
  insertPlanned(tx, where, loose.map(({ path, size, sha256 }) => ({ name: path, version: "", size, digest: `sha256:${sha256}` })));
  return { goesOn: rows.length === PAGE, cursor: { ...cursor, afterNode: rows.at(-1)?.id ?? cursor.afterNode } };
}

/** Checksums and metadata are each repository's own. */
const isLoose = (path: string): boolean => !isChecksum(path) && !isMetadata(path) && parseMavenPath(path) === null;
