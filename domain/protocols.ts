import { PROTOCOLS, type Protocol, type RepositoryType } from "./vocabulary.ts";

/**
 * Repository types that this release can read and write by a protocol; repository-types.ts lists those that
 * a release may ever read and write.
 */
type Built = {
  reads: readonly RepositoryType[];
  writes: readonly RepositoryType[];
};

const NOTHING: Built = { reads: [], writes: [] };

const BUILT = {
  OCI: { reads: ["DOCKER", "OCI"], writes: ["DOCKER", "OCI"] },
  NPM: { reads: ["NPM"], writes: ["NPM"] },
  MAVEN: NOTHING,
  HELM: NOTHING,
  PYPI: NOTHING,
  CARGO: NOTHING,
  WEBDAV: NOTHING,
  HTTP: NOTHING,
  S3: NOTHING,
  DIRECTORY: NOTHING,
} as const satisfies Record<Protocol, Built>;

const builtOf = (protocol: Protocol): Built => BUILT[protocol];

/**
 * Checks whether this release reads repositories of the type from a registry that speaks the protocol;
 * false for null (an unknown protocol).
 */
export const isRead = (type: RepositoryType, protocol: Protocol | null): boolean =>
  protocol !== null && builtOf(protocol).reads.includes(type);

/**
 * Checks whether this release writes repositories of the type to a registry that speaks the protocol; false
 * for null (an unknown protocol).
 */
export const isWritten = (type: RepositoryType, protocol: Protocol | null): boolean =>
  protocol !== null && builtOf(protocol).writes.includes(type);

/** Checks whether this release reads repositories of the type by at least one protocol. */
export const isReadAnywhere = (type: RepositoryType): boolean =>
  PROTOCOLS.some((protocol) => isRead(type, protocol));

const DEFAULTS = {
  GENERIC: null,
  DOCKER: "OCI",
  OCI: "OCI",
  MAVEN: "MAVEN",
  NPM: "NPM",
  HELM: "HELM",
  PYPI: "PYPI",
  COMPOSER: null,
  NUGET: null,
  CARGO: "CARGO",
  RPM: null,
  CONAN: null,
  OHPM: null,
  HUGGINGFACE: null,
} as const satisfies Record<RepositoryType, Protocol | null>;

/**
 * Returns the protocol for a repository type if the settings of the registry name none; null: the type has
 * no default.
 */
export const defaultProtocol = (type: RepositoryType): Protocol | null => DEFAULTS[type];

/** Forms of a registry's address: http or https, an S3 bucket, a folder on the disk. */
export type UrlForm = "http" | "bucket" | "folder";

const URL_FORMS = {
  OCI: "http",
  NPM: "http",
  MAVEN: "http",
  HELM: "http",
  PYPI: "http",
  CARGO: "http",
  WEBDAV: "http",
  HTTP: "http",
  S3: "bucket",
  DIRECTORY: "folder",
} as const satisfies Record<Protocol, UrlForm>;

/**
 * Returns the form of an end's address; "http" when `protocol` is null, which means that neither the end
 * nor the scheme of its address names one.
 */
export const urlForm = (protocol: Protocol | null): UrlForm =>
  protocol === null ? "http" : URL_FORMS[protocol];

/** Schemes that belong to one protocol only. */
const BY_SCHEME: ReadonlyMap<string, Protocol> = new Map([
  ["s3:", "S3"],
  ["file:", "DIRECTORY"],
]);

/** Returns the protocol that the scheme of an address names (s3: or file:); null for any other address. */
export function protocolOfScheme(url: string): Protocol | null {
  const [, scheme = ""] = /^([a-z0-9]+:)\//i.exec(url) ?? [];
  return BY_SCHEME.get(scheme.toLowerCase()) ?? null;
}

/**
 * Returns the protocol that an end names, regardless of the repository type: the `given` one, else the one
 * of the scheme of its url; null: none.
 */
export const namedProtocol = (given: Protocol | null, url: string): Protocol | null =>
  given ?? protocolOfScheme(url);

/**
 * Returns the protocol by which a registry is used for a repository type: the one that the end names, else
 * the type's default. Null: there is neither (a GENERIC repository over http may be WEBDAV or HTTP).
 */
export function protocolOf(
  type: RepositoryType,
  given: Protocol | null,
  url: string,
): Protocol | null {
  return namedProtocol(given, url) ?? defaultProtocol(type);
}
