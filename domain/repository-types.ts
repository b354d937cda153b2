import { isChecksum, isMetadata } from "./maven/layout.ts";
import { isImageName } from "./reference.ts";
import { text, type Text } from "./text.ts";
import { type Protocol, REPOSITORY_TYPES, type RepositoryType } from "./vocabulary.ts";

/**
 * The kind of an artifact: a file that belongs to no package, a version of a package with all its files, or
 * a tag of an image with all its parts.
 */
export type Unit = "file" | "version" | "image";

/** The kinds of content of a hosted repository; `looseFiles`: files that belong to no version. */
export type Content = "files" | "versions" | "looseFiles";

/**
 * The facts of a repository type, as the table TYPES has them. The built and the default protocols of the
 * types are in domain/protocols.ts.
 */
type TypeFacts = {
  unit: Unit;
  /**
   * Schemes of package keys, `{scheme}://{name}`: the first one is used in keys that are written, all are
   * accepted.
   */
  schemes: readonly [string, ...string[]];
  /** An example of a package key, for messages. */
  exampleKey: string;
  /** Returns why a package cannot have the name, as a whole sentence; null when it can. */
  nameProblem: (name: string) => Text | null;
  /** Where files are read and written by path: at every end, at other instances only, or nowhere. */
  paths: "everywhere" | "instances" | "nowhere";
  /** Whether an artifact may get other versions at the target than it has here. */
  retag: boolean;
  /** Whether registries never replace the content of a published version. */
  immutable: boolean;
  /**
   * Kinds of content from which a hosted repository is planned. Null: the type is not hosted, which means it is neither
   * served to native clients nor received from other instances.
   */
  hosted: readonly Content[] | null;
  /**
   * Returns whether the server itself makes the file at that path from other files; null: it makes none.
   */
  computed: ((fullPath: string) => boolean) | null;
  /** Whether hosted repositories have the setting `allowOverwrite`. */
  overwriteSetting: boolean;
  /**
   * Protocols by which the type can be read from and written to a registry elsewhere; protocols.ts lists those that are
   * built.
   */
  reads: readonly Protocol[];
  writes: readonly Protocol[];
};

const anyName = (): null => null;
const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));

const IMAGE_KEY = "docker://name or oci://name";
const MAVEN_KEY = "gav://group:artifact";

function imageNameProblem(name: string): Text | null {
  return isImageName(name)
    ? null
    : text(
        `${quoted(name)} is not an image name: write lower-case letters, digits and . _ - / as in ${IMAGE_KEY}`,
        `${quoted(name)} 不是合法的镜像名称：只能使用小写字母、数字和 . _ - /，例如 docker://name 或 oci://name`,
      );
}

function mavenNameProblem(name: string): Text | null {
  const coordinates = name.split(":");
  return coordinates.length === 2 && !coordinates.includes("")
    ? null
    : text(
        `${quoted(`gav://${name}`)} is not a Maven package: write ${MAVEN_KEY}`,
        `${quoted(`gav://${name}`)} 不是 Maven 包：请写成 ${MAVEN_KEY}`,
      );
}

const IMAGES = {
  unit: "image",
  exampleKey: IMAGE_KEY,
  nameProblem: imageNameProblem,
  paths: "nowhere",
  retag: true,
  immutable: false,
  hosted: ["versions"],
  computed: null,
  overwriteSetting: false,
  reads: ["OCI", "DIRECTORY"],
  writes: ["OCI", "DIRECTORY"],
} as const satisfies Omit<TypeFacts, "schemes">;

/**
 * Facts of a package type that is not hosted and has no known protocol; the other package types replace
 * some.
 */
const PACKAGES = {
  unit: "version",
  nameProblem: anyName,
  paths: "instances",
  retag: false,
  immutable: false,
  hosted: null,
  computed: null,
  overwriteSetting: false,
  reads: [],
  writes: [],
} as const satisfies Omit<TypeFacts, "schemes" | "exampleKey">;

const TYPES = {
  GENERIC: {
    unit: "file",
    schemes: ["generic"],
    exampleKey: "generic://name",
    nameProblem: anyName,
    paths: "everywhere",
    retag: false,
    immutable: false,
    hosted: ["files"],
    computed: null,
    overwriteSetting: false,
    reads: ["WEBDAV", "S3", "HTTP", "DIRECTORY"],
    writes: ["WEBDAV", "S3", "HTTP", "DIRECTORY"],
  },
  DOCKER: { ...IMAGES, schemes: ["docker", "oci"] },
  OCI: { ...IMAGES, schemes: ["oci", "docker"] },
  MAVEN: {
    unit: "version",
    schemes: ["gav"],
    exampleKey: MAVEN_KEY,
    nameProblem: mavenNameProblem,
    paths: "everywhere",
    retag: false,
    immutable: false,
    hosted: ["versions", "looseFiles"],
    computed: (fullPath) => isMetadata(fullPath) || isChecksum(fullPath),
    overwriteSetting: true,
    reads: ["MAVEN", "DIRECTORY"],
    writes: ["MAVEN", "DIRECTORY"],
  },
  NPM: {
    ...PACKAGES,
    schemes: ["npm"],
    exampleKey: "npm://name",
    immutable: true,
    paths: "nowhere",
    hosted: ["versions"],
    reads: ["NPM"],
    writes: ["NPM"],
  },
  HELM: {
    ...PACKAGES,
    schemes: ["helm"],
    exampleKey: "helm://name",
    reads: ["HELM", "OCI", "DIRECTORY"],
    writes: ["HELM", "OCI", "DIRECTORY"],
  },
  PYPI: {
    ...PACKAGES,
    schemes: ["pypi"],
    exampleKey: "pypi://name",
    immutable: true,
    reads: ["PYPI"],
    writes: ["PYPI"],
  },
  COMPOSER: { ...PACKAGES, schemes: ["composer"], exampleKey: "composer://name" },
  NUGET: { ...PACKAGES, schemes: ["nuget"], exampleKey: "nuget://name" },
  CARGO: {
    ...PACKAGES,
    schemes: ["cargo"],
    exampleKey: "cargo://name",
    reads: ["CARGO"],
    writes: ["CARGO"],
  },
  RPM: { ...PACKAGES, schemes: ["rpm"], exampleKey: "rpm://name" },
  CONAN: { ...PACKAGES, schemes: ["conan"], exampleKey: "conan://name" },
  OHPM: { ...PACKAGES, schemes: ["ohpm"], exampleKey: "ohpm://name" },
  HUGGINGFACE: {
    ...PACKAGES,
    schemes: ["huggingface"],
    exampleKey: "huggingface://name",
  },
} as const satisfies Record<RepositoryType, TypeFacts>;

export const factsOf = (type: RepositoryType): TypeFacts => TYPES[type];

type Facts<T extends RepositoryType> = (typeof TYPES)[T];
type WhereHosted<T extends RepositoryType> = T extends RepositoryType
  ? Facts<T>["hosted"] extends null
    ? never
    : T
  : never;
type WhereUnit<T extends RepositoryType, U extends Unit> = T extends RepositoryType
  ? Facts<T>["unit"] extends U
    ? T
    : never
  : never;
type WherePaths<T extends RepositoryType> = T extends RepositoryType
  ? Facts<T>["paths"] extends "everywhere"
    ? T
    : never
  : never;

/** Hosted types: native clients are served, and other instances may send them. */
export type HostedType = WhereHosted<RepositoryType>;
/** Hosted types whose artifacts are versions of packages, images included. */
export type HostedPackageType = WhereUnit<HostedType, "version" | "image">;
/** Hosted types whose artifacts are versions of packages, made of files. */
export type HostedVersionType = WhereUnit<HostedType, "version">;
/** Hosted types whose files are written by path. */
export type HostedFileType = WherePaths<HostedType>;

// These type guards are sound because the types above derive from the same table.
export const isHostedType = (type: RepositoryType): type is HostedType =>
  TYPES[type].hosted !== null;
export const isHostedPackageType = (type: RepositoryType): type is HostedPackageType =>
  isHostedType(type) && TYPES[type].unit !== "file";
export const isHostedVersionType = (type: RepositoryType): type is HostedVersionType =>
  isHostedType(type) && TYPES[type].unit === "version";
export const isHostedFileType = (type: RepositoryType): type is HostedFileType =>
  isHostedType(type) && TYPES[type].paths === "everywhere";
export const isImageType = (type: RepositoryType): boolean =>
  TYPES[type].unit === "image";

export const HOSTED_TYPES: readonly HostedType[] = REPOSITORY_TYPES.filter(isHostedType);
export const HOSTED_VERSION_TYPES: readonly HostedVersionType[] =
  REPOSITORY_TYPES.filter(isHostedVersionType);
export const HOSTED_FILE_TYPES: readonly HostedFileType[] =
  REPOSITORY_TYPES.filter(isHostedFileType);
export const IMAGE_TYPES: readonly RepositoryType[] =
  REPOSITORY_TYPES.filter(isImageType);
/** Hosted types with the setting `allowOverwrite`. */
export const OVERWRITE_TYPES: readonly RepositoryType[] = HOSTED_TYPES.filter(
  (type) => TYPES[type].overwriteSetting,
);

/** Whether the server itself makes the file at that path in a repository of that type. */
export const isComputed = (type: RepositoryType, fullPath: string): boolean =>
  factsOf(type).computed?.(fullPath) ?? false;
