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
import type { Decided, DescribedFile, FileAnswer, Refusal, Statement } from "../../domain/sync.ts";
import type { DescribedVersion, SourceVersion, StatedType, VersionAnswer } from "../../domain/sync-versions.ts";
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
import { isInLayout, judgeMavenFile, recordStatedFiles, tellStatedFile } from "./maven/stated-files.ts";
import { deleteNpmPackage, deleteNpmVersion, pathOf } from "./npm/delete.ts";
import { judgeNpmVersion } from "./npm/judge.ts";
import { descriptionOf, distTagsOf } from "./npm/record.ts";
import { readNpmVersion } from "./npm/source.ts";
import { applyNpmVersion } from "./npm/stated.ts";
import type { Applying, Beside, JudgedVersion, StatableRepository } from "./stated-applying.ts";
import type { Reading } from "./stated-source.ts";
import type { PackageRepository, PackageRow, VersionRow } from "./versions.ts";

/** `contentPath`: the file that a version is there for; `manifestPath`: of images. */
export type VersionPaths = { contentPath: string | null; manifestPath: string | null };

/** What the packages of a hosted type do that others do otherwise. */
export type PackageType = {
  /** Whether the version of these columns is an artifact of its own; others are parts of those that are. */
  isOwn: (version: VersionColumns) => SQL;
  /** The version that is meant where none is named. `oldestFirst`: by their last change; `tags`: those of `tags`. */
  latest: (
    oldestFirst: readonly Pick<VersionRow, "name" | "complete">[],
    tags: ReadonlyMap<string, string>,
  ) => string | null;
  /** Names of a package that stand for versions. */
  tags: (db: DbOrTx, packageId: number) => Map<string, string>;
  /** What a package says of itself by its latest version. */
  description: (db: DbOrTx, packageId: number, latest: string) => string | null;
  paths: (db: DbOrTx, repositoryId: number, packageName: string, row: VersionRow) => VersionPaths;
  /** With all versions and files. False: it is not there. */
  deletePackage: (
    db: Db,
    repository: PackageRepository,
    packageName: string,
    now: number,
  ) => boolean | Promise<boolean>;
  /** With its files, and the package with its last version. False: it is not there. */
  deleteVersion: (
    db: Db,
    repository: PackageRepository,
    packageName: string,
    version: string,
    now: number,
  ) => boolean | Promise<boolean>;
};

/** What versions do besides that are stated whole, from instance to instance. */
export type StatedPackageType = {
  /** Why a stated version cannot be, whatever is there, such as a digest that is not its own. Its paths are good. */
  judge: (version: DescribedVersion) => Refusal | undefined;
  /** Makes a stated version true, as far as the rules allow. */
  apply: (applying: Applying, version: JudgedVersion) => Decided<VersionAnswer>;
  /** The version as another instance is to be told of it. */
  read: (reading: Reading, owner: PackageRow, row: VersionRow) => SourceVersion;
};

type PackageTypes = {
  readonly [T in HostedPackageType]: T extends StatedType ? PackageType & StatedPackageType : PackageType;
};

const always = (): SQL => sql`1`;
const noTags = (): Map<string, string> => new Map();
const undescribed = (): null => null;

const IMAGES: PackageType = {
  isOwn: isOwnTag,
  // The tag that was pushed last.
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
    latest: (oldestFirst) => newestOf(sortMavenVersions(oldestFirst.map(({ name }) => name)), oldestFirst) ?? null,
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
    paths: (_db, _repositoryId, packageName, row) => ({ contentPath: pathOf(packageName, row), manifestPath: null }),
    deletePackage: deleteNpmPackage,
    deleteVersion: deleteNpmVersion,
    judge: judgeNpmVersion,
    apply: applyNpmVersion,
    read: readNpmVersion,
  },
} as const satisfies PackageTypes;

/** What the packages of a repository do; null: it holds none. */
export const packageTypeOf = (type: RepositoryType): PackageType | null =>
  isHostedPackageType(type) ? PACKAGE_TYPES[type] : null;

/** What was read out of stated contents, by their sha256. */
export type Readings = ReadonlyMap<string, string>;

/** What files do that are stated one by one, by their paths. */
export type FileType = {
  /** Why a file cannot be there. */
  judge: (
    repository: StatableRepository,
    path: string,
    beside: Beside,
    strategy: Statement["conflictStrategy"],
  ) => Decided<FileAnswer> | undefined;
  /** Whether it belongs to a version of a package. */
  isPart: (fullPath: string) => boolean;
  /** All files that belong to a version. */
  pathsOfVersion: (db: DbOrTx, repositoryId: number, packageName: string, version: string) => readonly string[];
  /** Brings packages in step with files that were written, in their transaction. */
  record: (
    tx: DbOrTx,
    repository: StatableRepository,
    files: readonly DescribedFile[],
    now: number,
    readings: Readings,
  ) => void;
  /** The metadata of a part changed. */
  tellPart: (tx: DbOrTx, repository: StatableRepository, fullPath: string, now: number) => void;
};

const nothing = (): undefined => undefined;

export const FILE_TYPES = {
  GENERIC: { judge: nothing, isPart: () => false, pathsOfVersion: () => [], record: nothing, tellPart: nothing },
  MAVEN: {
    judge: judgeMavenFile,
    isPart: isInLayout,
    pathsOfVersion: (...version) => mavenFiles(...version).map(({ path }) => path),
    record: recordStatedFiles,
    tellPart: tellStatedFile,
  },
} as const satisfies Record<HostedFileType, FileType>;

/** What the files of a repository do that are written by their paths; null: none are. */
export const fileTypeOf = (type: RepositoryType): FileType | null => (isHostedFileType(type) ? FILE_TYPES[type] : null);
