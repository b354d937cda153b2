import { type NpmDocument, record } from "./package.ts";

/** What npm's abbreviated metadata say of a version (npm's registry documentation, package-metadata). */
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

/** What a package says of itself is what its latest version says. */
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

/** The document with an absolute address of its tarball; `base` is the repository's, without a slash at the end. */
export function addressed(document: NpmDocument, base: string): NpmDocument {
  const dist = record(document["dist"]);
  return { ...document, dist: { ...dist, tarball: `${base}/${encodeURI(String(dist["tarball"]))}` } };
}

/** A version inside a full packument: the readme stands once, at its top. */
export function fullVersion(document: NpmDocument, base: string): NpmDocument {
  const { readme: _, ...rest } = addressed(document, base);
  return rest;
}

/** A version as clients need it to install. */
export function abbreviatedVersion(document: NpmDocument, base: string): NpmDocument {
  const whole = addressed(document, base);
  const installs = Object.keys(record(whole["scripts"])).some((name) => INSTALL_SCRIPTS.includes(name));
  return pick(installs ? { ...whole, hasInstallScript: true } : whole, ABBREVIATED);
}

/** What a packument says of its package besides names, tags, versions and times. */
export const aboutPackage = (latest: NpmDocument): NpmDocument => pick(latest, OF_THE_LATEST);

function pick(document: NpmDocument, fields: readonly string[]): NpmDocument {
  return Object.fromEntries(
    fields.flatMap((field) => (Object.hasOwn(document, field) ? [[field, document[field]]] : [])),
  );
}
