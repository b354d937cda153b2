import { record } from "../json.ts";
import { type NpmDocument } from "./package.ts";

/** Fields of a version in npm's abbreviated metadata (npm's registry documentation, package-metadata). */
const ABBREVIATED = [
  "name",
  "version",
  "dependencies",
  "optionalDependencies",
  "devDependencies",
  "bundleDependencies",
  "bundledDependencies",
  "peerDependencies",
  "peerDependenciesMeta",
  "acceptDependencies",
  "bin",
  "directories",
  "dist",
  "engines",
  "cpu",
  "os",
  "libc",
  "funding",
  "deprecated",
  "hasInstallScript",
  "_hasShrinkwrap",
] as const;

/** Fields of a package that come from its latest version. */
const OF_THE_LATEST = [
  "description",
  "readme",
  "readmeFilename",
  "maintainers",
  "author",
  "contributors",
  "repository",
  "homepage",
  "bugs",
  "license",
  "keywords",
] as const;

const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall"];

/**
 * Returns the document with an absolute tarball address; `base` is the repository's address, without a slash at its
 * end.
 */
export function addressed(document: NpmDocument, base: string): NpmDocument {
  const dist = record(document["dist"]);
  return {
    ...document,
    dist: { ...dist, tarball: `${base}/${encodeURI(String(dist["tarball"]))}` },
  };
}

/**
 * Returns a version as part of a full packument: without its readme, which the packument has only once, at
 * its top.
 */
export function fullVersion(document: NpmDocument, base: string): NpmDocument {
  const { readme: _, ...rest } = addressed(document, base);
  return rest;
}

/** Returns a version with only the fields that clients need to install it. */
export function abbreviatedVersion(document: NpmDocument, base: string): NpmDocument {
  const whole = addressed(document, base);
  const installs = Object.keys(record(whole["scripts"])).some((name) =>
    INSTALL_SCRIPTS.includes(name),
  );
  return pick(installs ? { ...whole, hasInstallScript: true } : whole, ABBREVIATED);
}

/** Returns the fields of a packument about its package, besides names, tags, versions and times. */
export const aboutPackage = (latest: NpmDocument): NpmDocument =>
  pick(latest, OF_THE_LATEST);

function pick(document: NpmDocument, fields: readonly string[]): NpmDocument {
  return Object.fromEntries(
    fields.flatMap((field) =>
      Object.hasOwn(document, field) ? [[field, document[field]]] : [],
    ),
  );
}
