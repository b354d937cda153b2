import { type SQL, sql } from "drizzle-orm";
import { manifestPath } from "../../domain/image/layout.ts";
import { newestOf } from "../../domain/maven/metadata.ts";
import { sortMavenVersions } from "../../domain/maven/order.ts";
import { latestVersion } from "../../domain/npm/package.ts";
import {
  type HostedFileType,
  type HostedPackageType,
  isHostedFileType,
  isHostedPackageType,
} from "../../domain/repository-types.ts";
import type {
  Decided,
  DescribedFile,
  FileAnswer,
  Refusal,
  Statement,
} from "../../domain/sync.ts";
import type {
  DescribedVersion,
  SourceVersion,
  StatedType,
  VersionAnswer,
} from "../../domain/sync-versions.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import type { Db, DbOrTx } from "../open.ts";
import { deleteImage, deleteImageVersion } from "./image/delete.ts";
import { isOwnTag, type VersionColumns } from "./image/own-tags.ts";
import { deleteMavenPackage, deleteMavenVersion } from "./maven/delete.ts";
import { judgeMavenVersion } from "./maven/judge.ts";
import { mainFile } from "./maven/main-file.ts";
import { mavenFiles } from "./maven/record.ts";
import { readMavenVersion } from "./maven/source.ts";
import { applyMavenVersion } from "./maven/stated.ts";
import {
  isInLayout,
  judgeMavenFile,
  recordStatedFiles,
  tellStatedFile,
} from "./maven/stated-files.ts";
import { deleteNpmPackage, deleteNpmVersion, pathOf } from "./npm/delete.ts";
import { judgeNpmVersion } from "./npm/judge.ts";
import { descriptionOf, distTagsOf } from "./npm/record.ts";
import { readNpmVersion } from "./npm/source.ts";
import { applyNpmVersion } from "./npm/stated.ts";
import type {
  Applying,
  Beside,
  JudgedVersion,
  StatableRepository,
} from "./stated-applying.ts";
import type { Reading } from "./stated-source.ts";
import type { PackageRepository, PackageRow, VersionRow } from "./versions.ts";

/**
 * Paths of a version's files. `contentPath`: that of the main file, null for images and for
 * versions without files; `manifestPath`: that of an image's manifest, null for other types.
 */
export type VersionPaths = { contentPath: string | null; manifestPath: string | null };

/** The functions in which the packages of one hosted type differ from those of other types. */
export type PackageType = {
  /**
   * SQL: whether the version with these columns is an artifact of its own; every other version is a
   * part of such an artifact.
   */
  isOwn: (version: VersionColumns) => SQL;
  /**
   * Returns the version that is used if a request names none; null without versions. `oldestFirst`:
   * versions by last change; `tags`: the package's dist-tags.
   */
  latest: (
    oldestFirst: readonly Pick<VersionRow, "name" | "complete">[],
    tags: ReadonlyMap<string, string>,
  ) => string | null;
  /**
   * Returns the package's dist-tags and the versions to which they point; empty for all types but
   * npm.
   */
  tags: (db: DbOrTx, packageId: number) => Map<string, string>;
  /**
   * Returns the package's description, from its latest version; null when there is none, as for all
   * types but npm.
   */
  description: (db: DbOrTx, packageId: number, latest: string) => string | null;
  paths: (
    db: DbOrTx,
    repositoryId: number,
    packageName: string,
    row: VersionRow,
  ) => VersionPaths;
  /**
   * Deletes a package with all versions and files. Returns false when the package does not exist.
   */
  deletePackage: (
    db: Db,
    repository: PackageRepository,
    packageName: string,
    now: number,
  ) => boolean | Promise<boolean>;
  /**
   * Deletes a version with the files that nothing else needs, and the package with its last
   * version. Returns false when the version does not exist.
   */
  deleteVersion: (
    db: Db,
    repository: PackageRepository,
    packageName: string,
    version: string,
    now: number,
  ) => boolean | Promise<boolean>;
};

/**
 * Additional functions of package types whose versions are declared as a whole from one instance to
 * another.
 */
export type StatedPackageType = {
  /**
   * Returns why a declared version is invalid whatever exists here, such as for a wrong digest;
   * undefined when it is valid. The form of its paths has been checked before.
   */
  judge: (version: DescribedVersion) => Refusal | undefined;
  /**
   * Applies a declared version as far as the rules allow, and returns the answer. Throws Refused if
   * what it has written must be rolled back.
   */
  apply: (applying: Applying, version: JudgedVersion) => Decided<VersionAnswer>;
  /** Reads a version with its files as another instance gets it. */
  read: (reading: Reading, owner: PackageRow, row: VersionRow) => SourceVersion;
};

type PackageTypes = {
  readonly [T in HostedPackageType]: T extends StatedType
    ? PackageType & StatedPackageType
    : PackageType;
};

const always = (): SQL => sql`1`;
const noTags = (): Map<string, string> => new Map();
const undescribed = (): null => null;

const IMAGES: PackageType = {
  isOwn: isOwnTag,
  // The latest version of an image is the tag that was pushed last.
  latest: (oldestFirst) => oldestFirst.at(-1)?.name ?? null,
  tags: noTags,
  description: undescribed,
  paths: (_db, _repositoryId, packageName, { digest }) => ({
    contentPath: null,
    manifestPath: manifestPath(packageName, digest),
  }),
  deletePackage: deleteImage,
  deleteVersion: deleteImageVersion,
};

export const PACKAGE_TYPES = {
  DOCKER: IMAGES,
  OCI: IMAGES,
  MAVEN: {
    isOwn: always,
    latest: (oldestFirst) =>
      newestOf(sortMavenVersions(oldestFirst.map(({ name }) => name)), oldestFirst) ??
      null,
    tags: noTags,
    description: undescribed,
    paths: (db, repositoryId, packageName, { name }) => ({
      contentPath: mainFile(db, repositoryId, packageName, name),
      manifestPath: null,
    }),
    deletePackage: deleteMavenPackage,
    deleteVersion: deleteMavenVersion,
    judge: judgeMavenVersion,
    apply: applyMavenVersion,
    read: readMavenVersion,
  },
  NPM: {
    isOwn: always,
    latest: (oldestFirst, tags) =>
      latestVersion(
        tags.get("latest"),
        oldestFirst.map(({ name }) => name),
      ),
    tags: distTagsOf,
    description: descriptionOf,
    paths: (_db, _repositoryId, packageName, row) => ({
      contentPath: pathOf(packageName, row),
      manifestPath: null,
    }),
    deletePackage: deleteNpmPackage,
    deleteVersion: deleteNpmVersion,
    judge: judgeNpmVersion,
    apply: applyNpmVersion,
    read: readNpmVersion,
  },
} as const satisfies PackageTypes;

/**
 * Returns the functions for the packages of a hosted repository of this type; null: hosted
 * repositories hold no packages of this type.
 */
export const packageTypeOf = (type: RepositoryType): PackageType | null =>
  isHostedPackageType(type) ? PACKAGE_TYPES[type] : null;

/** Values read from declared contents, by the sha256 of the content. */
export type Readings = ReadonlyMap<string, string>;

/**
 * The functions in which repository types differ for files that are declared one by one, by path.
 */
type FileType = {
  /** Returns the answer to a declared file that is not allowed, or undefined if it is allowed. */
  judge: (
    repository: StatableRepository,
    path: string,
    beside: Beside,
    strategy: Statement["conflictStrategy"],
  ) => Decided<FileAnswer> | undefined;
  /** Whether the file belongs to a version of a package. */
  isPart: (fullPath: string) => boolean;
  /** Returns the paths of all files that belong to a version. */
  pathsOfVersion: (
    db: DbOrTx,
    repositoryId: number,
    packageName: string,
    version: string,
  ) => readonly string[];
  /**
   * Brings the packages in step with files that were written, in the transaction that wrote them.
   */
  record: (
    tx: DbOrTx,
    repository: StatableRepository,
    files: readonly DescribedFile[],
    now: number,
    readings: Readings,
  ) => void;
  /**
   * Writes an event for the version that a file is part of, after the file's metadata has changed.
   */
  tellPart: (
    tx: DbOrTx,
    repository: StatableRepository,
    fullPath: string,
    now: number,
  ) => void;
};

const nothing = (): undefined => undefined;

export const FILE_TYPES = {
  GENERIC: {
    judge: nothing,
    isPart: () => false,
    pathsOfVersion: () => [],
    record: nothing,
    tellPart: nothing,
  },
  MAVEN: {
    judge: judgeMavenFile,
    isPart: isInLayout,
    pathsOfVersion: (...version) => mavenFiles(...version).map(({ path }) => path),
    record: recordStatedFiles,
    tellPart: tellStatedFile,
  },
} as const satisfies Record<HostedFileType, FileType>;

/**
 * Returns the functions for a repository type's files that are uploaded by path; null: the type has
 * no such files.
 */
export const fileTypeOf = (type: RepositoryType): FileType | null =>
  isHostedFileType(type) ? FILE_TYPES[type] : null;
