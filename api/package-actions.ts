import type { Db } from "../db/open.ts";
import { deleteImage, deleteImageVersion } from "../db/packages/image-delete.ts";
import { deleteMavenPackage, deleteMavenVersion } from "../db/packages/maven-delete.ts";
import { deleteNpmPackage, deleteNpmVersion } from "../db/packages/npm-delete.ts";
import { findPackage, type PackageRepository } from "../db/packages/versions.ts";
import type { RepositoryType } from "../domain/vocabulary.ts";
import { fail } from "./errors.ts";

/** False: it is not there. */
type Deletes = {
  package: (db: Db, repository: PackageRepository, packageName: string, now: number) => boolean | Promise<boolean>;
  version: (db: Db, repository: PackageRepository, packageName: string, version: string, now: number) => boolean | Promise<boolean>;
};

const IMAGES: Deletes = { package: deleteImage, version: deleteImageVersion };
const DELETES: Partial<Record<RepositoryType, Deletes>> = {
  DOCKER: IMAGES,
  OCI: IMAGES,
  MAVEN: { package: deleteMavenPackage, version: deleteMavenVersion },
  NPM: { package: deleteNpmPackage, version: deleteNpmVersion },
};

/** `key`: as it was asked for. */
export type Named = { key: string; packageName: string };

/** Deletes a package with all its versions; native clients see it at once. ApiError 251017 where there is none. */
export async function deletePackage(db: Db, repository: PackageRepository, { key, packageName }: Named, now: number): Promise<void> {
  if (!(await DELETES[repository.type]?.package(db, repository, packageName, now))) fail(251017, key);
}

/** The same of one version, 251019; with its last version the package goes. */
export async function deleteVersion(db: Db, repository: PackageRepository, { key, packageName }: Named, version: string, now: number): Promise<void> {
  if (!findPackage(db, repository.id, packageName)) fail(251017, key);
  if (!(await DELETES[repository.type]?.version(db, repository, packageName, version, now))) fail(251019, version);
}
