import type { Db } from "../../db/open.ts";
import { packageTypeOf } from "../../db/packages/types.ts";
import { findPackage, type PackageRepository } from "../../db/packages/versions.ts";
import { fail } from "../http/errors.ts";

/** The package that a request names; `key`: the package key as it stands in the request. */
type Named = { key: string; packageName: string };

/**
 * Deletes a package with all its versions; native clients see it at once. Throws 251017 if it does
 * not exist.
 */
export async function deletePackage(
  db: Db,
  repository: PackageRepository,
  { key, packageName }: Named,
  now: number,
): Promise<void> {
  if (
    !(await packageTypeOf(repository.type)?.deletePackage(
      db,
      repository,
      packageName,
      now,
    ))
  )
    fail(251017, key);
}

/**
 * Deletes a version of a package, and with its last version the package. Throws 251017 or 251019 if
 * the package or the version does not exist.
 */
export async function deleteVersion(
  db: Db,
  repository: PackageRepository,
  { key, packageName }: Named,
  version: string,
  now: number,
): Promise<void> {
  if (!findPackage(db, repository.id, packageName)) fail(251017, key);
  if (
    !(await packageTypeOf(repository.type)?.deleteVersion(
      db,
      repository,
      packageName,
      version,
      now,
    ))
  )
    fail(251019, version);
}
