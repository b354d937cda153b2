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

/** `contentPath`: the main file of a version; `manifestPath`: the manifest of an image. */
export type VersionPaths = { contentPath: string | null; manifestPath: string | null };

/** Everything in which the packages of one hosted type differ from those of others. */
export type PackageType = {
  /**
   * SQL: whether the version of these columns is an artifact of its own; other versions are parts
   * of such ones.
   */
  isOwn: (version: VersionColumns) => SQL;
  /**
   * Returns the version that is used where none is named. `oldestFirst`: ordered by last change;
   * `tags`: the result of `tags`.
   */
  latest: (
    oldestFirst: readonly Pick<VersionRow, "name" | "complete">[],
    tags: ReadonlyMap<string, string>,
  ) => string | null;
  /** Returns the package's tags and the versions that they stand for. */
  tags: (db: DbOrTx, packageId: number) => Map<string, string>;
  /** Returns the package's description, from its latest version. */
  description: (db: DbOrTx, packageId: number, latest: string) => string | null;
  paths: (
    db: DbOrTx,
    repositoryId: number,
    packageName: string,
    row: VersionRow,
  ) => VersionPaths;
  /** Deletes a package with all versions and files. Returns false when it does not exist. */
  deletePackage: (
    db: Db,
    repository: PackageRepository,
    packageName: string,
    now: number,
  ) => boolean | Promise<boolean>;
  /**
   * Deletes a version with its files, and the package with its last version. Returns false when it
   * does not exist.
   */
  deleteVersion: (
    db: Db,
    repository: PackageRepository,
    packageName: string,
    version: string,
    now: number,
  ) => boolean | Promise<boolean>;
};

/** What a type adds whose versions are declared whole, from instance to instance. */
export type StatedPackageType = {
  /**
   * Returns why a declared version is invalid whatever exists, such as a wrong digest. Its paths
   * have been checked.
   */
  judge: (version: DescribedVersion) => Refusal | undefined;
  /** Applies a declared version as far as the rules allow. */
  apply: (applying: Applying, version: JudgedVersion) => Decided<VersionAnswer>;
  /** Reads a version for another instance. */
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

/** Returns how a repository's packages behave; null: it holds no packages. */
export const packageTypeOf = (type: RepositoryType): PackageType | null =>
  isHostedPackageType(type) ? PACKAGE_TYPES[type] : null;

/** Values read from declared contents, by their sha256. */
export type Readings = ReadonlyMap<string, string>;

/** Everything in which files that are declared one by one, by their paths, differ between types. */
type FileType = {
  /** Returns the answer to a file that is not allowed, or undefined. */
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
  /** Brings packages in step with files that were written, in their transaction. */
  record: (
    tx: DbOrTx,
    repository: StatableRepository,
    files: readonly DescribedFile[],
    now: number,
    readings: Readings,
  ) => void;
  /** Writes the event for a part whose metadata changed. */
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

/** Returns how a repository's path-addressed files behave; null: it has none. */
export const fileTypeOf = (type: RepositoryType): FileType | null =>
  isHostedFileType(type) ? FILE_TYPES[type] : null;
