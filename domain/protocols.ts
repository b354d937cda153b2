import { PROTOCOLS, type Protocol, type RepositoryType } from "./vocabulary.ts";

/**
 * The types that this release's connector of a protocol reads and writes. Which ones it may have at all stands in
 * repository-types.ts.
 */
export type Built = { reads: readonly RepositoryType[]; writes: readonly RepositoryType[] };

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

/** Whether this release reads repositories of the type from a registry that speaks the protocol; null: unknown. */
export const isRead = (type: RepositoryType, protocol: Protocol | null): boolean =>
  protocol !== null && builtOf(protocol).reads.includes(type);

/** Whether this release writes repositories of the type to a registry that speaks the protocol. */
export const isWritten = (type: RepositoryType, protocol: Protocol | null): boolean =>
  protocol !== null && builtOf(protocol).writes.includes(type);

/** Whether this release reads repositories of the type from any registry. */
export const isReadAnywhere = (type: RepositoryType): boolean => PROTOCOLS.some((protocol) => isRead(type, protocol));

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

/** The protocol of a registry whose owner names none; null: the repository type alone does not decide it. */
export const defaultProtocol = (type: RepositoryType): Protocol | null => DEFAULTS[type];

/** How the address of a registry is written: http or https, a bucket of S3, a folder on the disk. */
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

/** `protocol` null: neither the end nor the scheme of its address names one. */
export const urlForm = (protocol: Protocol | null): UrlForm => (protocol === null ? "http" : URL_FORMS[protocol]);

/** Schemes of addresses that only one protocol has. */
const BY_SCHEME: ReadonlyMap<string, Protocol> = new Map([
  ["s3:", "S3"],
  ["file:", "DIRECTORY"],
]);

/** Null for addresses over http, which several protocols have. */
export function protocolOfScheme(url: string): Protocol | null {
  const [, scheme = ""] = /^([a-z0-9]+:)\//i.exec(url) ?? [];
  return BY_SCHEME.get(scheme.toLowerCase()) ?? null;
}

/**
 * What an end says of its protocol by itself, whatever is sent: the one it was `given`, else that of the scheme of its
 * url (as it is kept).
 */
export const namedProtocol = (given: Protocol | null, url: string): Protocol | null => given ?? protocolOfScheme(url);

/**
 * The protocol of a registry's end for an object of that type: the one that the end names, else that of the type. Null:
 * the type has none, or the end must be asked (GENERIC over http: WEBDAV or HTTP).
 */
export function protocolOf(type: RepositoryType, given: Protocol | null, url: string): Protocol | null {
  return namedProtocol(given, url) ?? defaultProtocol(type);
}
