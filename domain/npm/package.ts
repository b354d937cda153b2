import { record } from "../json.ts";
import { compareNpmVersions, isNpmVersion, withoutBuild } from "./version.ts";

const NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/i;
const MOST_OF_A_NAME = 214;
/** Reserved names: `-` begins the registry's own addresses; npm itself refuses the others. */
const TAKEN = new Set(["-", "node_modules", "favicon.ico"]);

/** Whether the text is a package name: `name` or `@scope/name`; older packages have capitals. */
export function isNpmName(name: string): boolean {
  return (
    name.length <= MOST_OF_A_NAME &&
    NAME.test(name) &&
    !TAKEN.has(baseName(name).toLowerCase())
  );
}

/** The part of a name after the scope. */
const baseName = (name: string): string => name.slice(name.indexOf("/") + 1);

const TAG = /^[a-z0-9~!'()*@$&+,;=._-]+$/i;
/** Texts that clients read as a range of versions: 1, v2.1, 1.x. */
const RANGE = /^[v=\s]*(?:\d+|x|\*)(?:\.(?:\d+|x|\*)){0,2}$/i;

/** Whether the text can be a dist-tag: not a version, a range or an address. */
export function isDistTag(tag: string): boolean {
  return (
    tag.length <= MOST_OF_A_NAME &&
    TAG.test(tag) &&
    !RANGE.test(tag) &&
    !isNpmVersion(tag.replace(/^[v=]+/i, "")) &&
    tag !== "." &&
    tag !== ".."
  );
}

/** Returns the file name of a version's tarball; the name that the publisher gave is ignored. */
export const tarballFile = (name: string, version: string): string =>
  `${baseName(name)}-${version}.tgz`;

/** Path of a tarball in its repository. */
export const tarballPath = (name: string, file: string): string => `/${name}/-/${file}`;

/**
 * The document of a published version: its package.json with additions of the registry. In stored form,
 * `dist.tarball` is a path without a host.
 */
export type NpmDocument = Record<string, unknown>;

/**
 * Returns the document in stored form: with the given name and version, and with the tarball's path in the
 * repository, without a slash at its beginning, as `dist.tarball`.
 */
export function storedDocument(
  document: NpmDocument,
  name: string,
  version: string,
  file: string,
): NpmDocument {
  const dist = { ...record(document["dist"]), tarball: tarballPath(name, file).slice(1) };
  return { ...document, name, version, _id: `${name}@${version}`, dist };
}

export const deprecationOf = ({ deprecated }: NpmDocument): string | null =>
  typeof deprecated === "string" && deprecated !== "" ? deprecated : null;

/** Returns the document with the given deprecation message; null removes the message. */
export function withDeprecation(
  document: NpmDocument,
  deprecated: string | null,
): NpmDocument {
  const { deprecated: _, ...rest } = document;
  return deprecated === null ? rest : { ...rest, deprecated };
}

/**
 * Returns the version of `latest`: the tagged one if the tag is set, else the highest release, else the
 * highest version; null without versions.
 */
export function latestVersion(
  tagged: string | undefined,
  versions: Iterable<string>,
): string | null {
  if (tagged !== undefined) return tagged;
  let best: string | null = null;
  for (const version of versions) {
    if (best === null || isPrerelease(best) > isPrerelease(version)) best = version;
    else if (
      isPrerelease(best) === isPrerelease(version) &&
      compareNpmVersions(version, best) > 0
    )
      best = version;
  }
  return best;
}

const isPrerelease = (version: string): boolean => withoutBuild(version).includes("-");
