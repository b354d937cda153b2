/**
 * A file of Maven's repository layout: `/{group}/{artifact}/{version}/{artifact}-{version}[-{classifier}].{extension}`.
 */
export type MavenFile = {
  /** With dots. */
  group: string;
  artifact: string;
  /** The folder's: of a snapshot `1.0-SNAPSHOT`, whatever the file's name says. */
  version: string;
  classifier: string | null;
  /** Of the whole name: `jar`, `tar.gz`, `jar.asc`. */
  extension: string;
  /** Of a snapshot with a timestamp: `20260131.235959` and the number after it. */
  build: MavenBuild | null;
};
export type MavenBuild = { timestamp: string; number: number };

export const METADATA = "maven-metadata.xml";
export const CHECKSUMS = ["md5", "sha1", "sha256", "sha512"] as const;
export type Checksum = (typeof CHECKSUMS)[number];

const SNAPSHOT = "SNAPSHOT";
const GROUP = /^[A-Za-z0-9_-]+$/;
const ID = /^[A-Za-z0-9_.-]+$/;
/**
 * What Maven forbids in versions, and what would not go into a package key or a file's name; the same for what follows
 * the version in a file's name.
 */
const UNFIT = /[\s\p{Cc}\\/:"<>|?*[\](){},]/u;
const BUILD = /^(\d{8}\.\d{6})-(\d{1,9})(?=[.-])/;
/** What stands behind an extension: `jar.asc`. */
const SIGNATURE = /(?:^|\.)(?:asc|sig|sigstore|sigstore\.json)$/;

/**
 * The file at a full path; null: it is outside the layout. Checksums are read as their file with a longer extension;
 * metadata is outside.
 */
export function parseMavenPath(fullPath: string): MavenFile | null {
  const [, ...segments] = fullPath.split("/");
  const [name = "", version = "", artifact = "", ...group] = segments.reverse();
  // The name is taken, whatever the artifact and its version are called.
  if (name === METADATA) return null;
  if (group.length === 0 || !group.every((segment) => GROUP.test(segment)) || !ID.test(artifact) || UNFIT.test(version))
    return null;
  const rest = afterVersion(name, artifact, version);
  const named = rest && splitRest(rest.text);
  if (!rest || !named) return null;
  return {
    group: group.reverse().join("."),
    artifact,
    version,
    classifier: named.classifier,
    extension: named.extension,
    build: rest.build,
  };
}

/** What follows the version in a file's name: `.jar`, `-sources.jar`. */
function afterVersion(
  name: string,
  artifact: string,
  version: string,
): { text: string; build: MavenBuild | null } | null {
  if (name.startsWith(`${artifact}-${version}`))
    return { text: name.slice(artifact.length + 1 + version.length), build: null };
  const start = `${artifact}-${version.slice(0, -SNAPSHOT.length)}`;
  if (!isSnapshot(version) || !name.startsWith(start)) return null;
  const text = name.slice(start.length);
  const [whole, timestamp, number] = BUILD.exec(text) ?? [];
  return whole === undefined || timestamp === undefined
    ? null
    : { text: text.slice(whole.length), build: { timestamp, number: Number(number) } };
}

function splitRest(text: string): Pick<MavenFile, "classifier" | "extension"> | null {
  if (UNFIT.test(text)) return null;
  if (text.startsWith(".")) return text.length > 1 ? { classifier: null, extension: text.slice(1) } : null;
  const [, classifier, extension] =
    /^-(.+?)\.((?:tar\.)?[^.]+(?:\.(?:asc|sig|sigstore|sigstore\.json|md5|sha1|sha256|sha512))*)$/.exec(text) ?? [];
  return classifier === undefined || extension === undefined ? null : { classifier, extension };
}

export const isSnapshot = (version: string): boolean => version.endsWith(SNAPSHOT);
/** What is released does not change. */
export const isRelease = (version: string): boolean => !isSnapshot(version);

/** The file that a checksum's path speaks of, and how; null: it is no checksum's path. */
export function checksumOf(fullPath: string): { of: string; checksum: Checksum } | null {
  const checksum = CHECKSUMS.find((each) => fullPath.endsWith(`.${each}`));
  const of = checksum && fullPath.slice(0, -checksum.length - 1);
  return !of || of.endsWith("/") ? null : { of, checksum };
}

export const isChecksum = (fullPath: string): boolean => checksumOf(fullPath) !== null;

/** Whether the path is one of the `maven-metadata.xml`, which the server writes. */
export const isMetadata = (fullPath: string): boolean => fullPath.endsWith(`/${METADATA}`);

/** A package's name, `group:artifact`. */
export const mavenPackage = ({ group, artifact }: Pick<MavenFile, "group" | "artifact">): string =>
  `${group}:${artifact}`;

/** The folder of a package or of one of its versions. */
export function mavenFolder(packageName: string, version?: string): string {
  const [group = "", artifact = ""] = packageName.split(":");
  return ["", ...group.split("."), artifact, ...(version === undefined ? [] : [version])].join("/");
}

const PACKAGING = /^[A-Za-z0-9_.-]{1,100}$/;

/** Whether it can be what a POM says of its packaging. */
export const isPackaging = (text: unknown): text is string => typeof text === "string" && PACKAGING.test(text);

export const isPom = ({ classifier, extension }: MavenFile): boolean => classifier === null && extension === "pom";

/** What a version is there for: not its POM, Gradle's description of it, something beside it, or a signature. */
export function isMainArtifact({ classifier, extension }: MavenFile): boolean {
  return classifier === null && extension !== "pom" && extension !== "module" && !SIGNATURE.test(extension);
}

/** Of the builds of a snapshot: negative when `a` is older. None is older than any. */
export function compareBuilds(a: MavenBuild | null, b: MavenBuild | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? -1 : 1;
  return a.number - b.number;
}

export const buildText = ({ timestamp, number }: MavenBuild): string => `${timestamp}-${number}`;

/**
 * What tells two contents of a version apart, `sha256:{hex}`. `files`: all of it, checksums and metadata left out;
 * `sha256` answers hex.
 */
export function versionDigest(
  files: readonly { path: string; sha256: string }[],
  sha256: (text: string) => string,
): string {
  const lines = files.map(({ path, sha256: hex }) => `${path} ${hex}\n`);
  return `sha256:${sha256(lines.sort().join(""))}`;
}
