/**
 * A file of Maven's repository layout: `/{group}/{artifact}/{version}/{artifact}-{version}[-{classifier}].{extension}`.
 */
export type MavenFile = {
  /** The groupId with dots: `org.apache.maven`. */
  group: string;
  artifact: string;
  /**
   * The version that the folder names: `1.0-SNAPSHOT` for a snapshot, also if the file's name has a
   * timestamp instead.
   */
  version: string;
  classifier: string | null;
  /** Everything after the version and the classifier: `jar`, `tar.gz`, `jar.asc`. */
  extension: string;
  /**
   * The timestamp (`20260131.235959`) and the number after it in the name of a snapshot's file; null: it
   * has none.
   */
  build: MavenBuild | null;
};
type MavenBuild = { timestamp: string; number: number };

const METADATA = "maven-metadata.xml";
export const CHECKSUMS = ["md5", "sha1", "sha256", "sha512"] as const;
export type Checksum = (typeof CHECKSUMS)[number];

const SNAPSHOT = "SNAPSHOT";
const GROUP = /^[A-Za-z0-9_-]+$/;
const ID = /^[A-Za-z0-9_.-]+$/;
/**
 * Characters that Maven forbids in versions, and those that fit neither a package key nor a file's name. They are also
 * forbidden in the part of a file's name after the version.
 */
const UNFIT = /[\s\p{Cc}\\/:"<>|?*[\](){},]/u;
const BUILD = /^(\d{8}\.\d{6})-(\d{1,9})(?=[.-])/;
/** Extensions of signatures: `jar.asc`. */
const SIGNATURE = /(?:^|\.)(?:asc|sig|sigstore|sigstore\.json)$/;

/**
 * Parses the full path of a file; null: it is outside Maven's layout, as is `maven-metadata.xml`. A
 * checksum's file is parsed as the file that it belongs to, with a longer extension.
 */
export function parseMavenPath(fullPath: string): MavenFile | null {
  const [, ...segments] = fullPath.split("/");
  const [name = "", version = "", artifact = "", ...group] = segments.reverse();
  // The name `maven-metadata.xml` is reserved, whatever the artifact and its version are called.
  if (name === METADATA) return null;
  if (
    group.length === 0 ||
    !group.every((segment) => GROUP.test(segment)) ||
    !ID.test(artifact) ||
    UNFIT.test(version)
  )
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

/**
 * Returns the part after the version in a file's name (`.jar`, `-sources.jar`) and the build in the name;
 * null when the name does not begin with artifact and version.
 */
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
  if (text.startsWith("."))
    return text.length > 1 ? { classifier: null, extension: text.slice(1) } : null;
  const [, classifier, extension] =
    /^-(.+?)\.((?:tar\.)?[^.]+(?:\.(?:asc|sig|sigstore|sigstore\.json|md5|sha1|sha256|sha512))*)$/.exec(
      text,
    ) ?? [];
  return classifier === undefined || extension === undefined
    ? null
    : { classifier, extension };
}

export const isSnapshot = (version: string): boolean => version.endsWith(SNAPSHOT);
/** Checks whether the version is a release and not a snapshot. */
export const isRelease = (version: string): boolean => !isSnapshot(version);

/**
 * Returns the path of the file to which a checksum's file belongs, and the algorithm; null: the path is not
 * a checksum's.
 */
export function checksumOf(fullPath: string): { of: string; checksum: Checksum } | null {
  const checksum = CHECKSUMS.find((each) => fullPath.endsWith(`.${each}`));
  const of = checksum && fullPath.slice(0, -checksum.length - 1);
  return !of || of.endsWith("/") ? null : { of, checksum };
}

export const isChecksum = (fullPath: string): boolean => checksumOf(fullPath) !== null;

/** Whether the path is a `maven-metadata.xml`, which the server writes. */
export const isMetadata = (fullPath: string): boolean =>
  fullPath.endsWith(`/${METADATA}`);

/** Returns the name of a package, `group:artifact`. */
export const mavenPackage = ({
  group,
  artifact,
}: Pick<MavenFile, "group" | "artifact">): string => `${group}:${artifact}`;

/** Returns the folder of a package, or of one of its versions. */
export function mavenFolder(packageName: string, version?: string): string {
  const [group = "", artifact = ""] = packageName.split(":");
  return [
    "",
    ...group.split("."),
    artifact,
    ...(version === undefined ? [] : [version]),
  ].join("/");
}

const PACKAGING = /^[A-Za-z0-9_.-]{1,100}$/;

/** Whether the text is a valid packaging of a POM. */
export const isPackaging = (text: unknown): text is string =>
  typeof text === "string" && PACKAGING.test(text);

export const isPom = ({ classifier, extension }: MavenFile): boolean =>
  classifier === null && extension === "pom";

/**
 * Checks whether a file that is no checksum is the main artifact of a version: not its POM, Gradle's module
 * file, a file with a classifier, or a signature.
 */
export function isMainArtifact({ classifier, extension }: MavenFile): boolean {
  return (
    classifier === null &&
    extension !== "pom" &&
    extension !== "module" &&
    !SIGNATURE.test(extension)
  );
}

/** Compares builds of a snapshot: negative when `a` is older. Null (no build) is older than any build. */
export function compareBuilds(a: MavenBuild | null, b: MavenBuild | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp ? -1 : 1;
  return a.number - b.number;
}

export const buildText = ({ timestamp, number }: MavenBuild): string =>
  `${timestamp}-${number}`;

/**
 * Returns the digest of a version's content, `sha256:{hex}`. `files`: all of its files but checksums and
 * metadata; `sha256` returns hex.
 */
export function versionDigest(
  files: readonly { path: string; sha256: string }[],
  sha256: (text: string) => string,
): string {
  const lines = files.map(({ path, sha256: hex }) => `${path} ${hex}\n`);
  return `sha256:${sha256(lines.sort().join(""))}`;
}
