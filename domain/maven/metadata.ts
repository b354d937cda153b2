import { buildText, compareBuilds, isRelease, type MavenFile } from "./layout.ts";
import { sortMavenVersions } from "./order.ts";

/** A prefix by which a plugin can be called: `jar` for `org.apache.maven.plugins:maven-jar-plugin`. */
export type PluginPrefix = { prefix: string; artifactId: string; name: string | null };

/** Returns the prefix of a plugin whose POM does not set one. */
export const defaultPrefix = (artifactId: string): string =>
  artifactId === "maven-plugin-plugin"
    ? "plugin"
    : artifactId.replaceAll(/-?maven-?|-?plugin-?/g, "");

/**
 * Content of `maven-metadata.xml` for an artifact. Dates are epoch ms; `complete`: the version has a POM
 * and, unless its packaging is `pom`, a main artifact.
 */
export type ArtifactMetadata = {
  group: string;
  artifact: string;
  versions: readonly { name: string; complete: boolean }[];
  lastUpdated: number;
};

/**
 * Builds the metadata of a group, an artifact, or both, since a folder may be both. Format:
 * https://maven.apache.org/ref/current/maven-repository-metadata/repository-metadata.html
 */
export function metadataXml({
  artifact,
  plugins,
}: {
  artifact: ArtifactMetadata | null;
  plugins: readonly PluginPrefix[];
}): string {
  return documentOf([
    ...(artifact ? artifactElements(artifact) : []),
    ...(plugins.length > 0 ? [pluginElements(plugins)] : []),
  ]);
}

/**
 * Returns the newest complete version of `sorted`, else the newest, undefined if `sorted` is empty: clients
 * that ask for the newest version should not get one whose files are still arriving.
 */
export function newestOf(
  sorted: readonly string[],
  versions: ArtifactMetadata["versions"],
): string | undefined {
  const complete = new Set(
    versions.flatMap((version) => (version.complete ? [version.name] : [])),
  );
  return sorted.findLast((name) => complete.has(name)) ?? sorted.at(-1);
}

function artifactElements({
  group,
  artifact,
  versions,
  lastUpdated,
}: ArtifactMetadata): string[] {
  const sorted = sortMavenVersions(versions.map(({ name }) => name));
  const latest = newestOf(sorted, versions);
  const release = newestOf(sorted.filter(isRelease), versions);
  const versioning = [
    ...(latest === undefined ? [] : [element("latest", latest)]),
    ...(release === undefined ? [] : [element("release", release)]),
    parent(
      "versions",
      sorted.map((version) => element("version", version)),
    ),
    element("lastUpdated", digitsOf(lastUpdated)),
  ];
  return [
    element("groupId", group),
    element("artifactId", artifact),
    parent("versioning", versioning),
  ];
}

function pluginElements(plugins: readonly PluginPrefix[]): string {
  const each = ({ prefix, artifactId, name }: PluginPrefix) => [
    ...(name === null ? [] : [element("name", name)]),
    element("prefix", prefix),
    element("artifactId", artifactId),
  ];
  return parent(
    "plugins",
    plugins.map((plugin) => parent("plugin", each(plugin))),
  );
}

type SnapshotFile = Pick<MavenFile, "classifier" | "extension" | "build"> & {
  lastModifiedDate: number;
};

/** Builds the `maven-metadata.xml` of a snapshot: its newest build, and the newest version of each file. */
export function snapshotXml(
  { group, artifact, version }: Pick<MavenFile, "group" | "artifact" | "version">,
  files: readonly SnapshotFile[],
): string {
  const newest = newestOfEach(files);
  const build = files.reduce(
    (best: MavenFile["build"], file) =>
      compareBuilds(file.build, best) > 0 ? file.build : best,
    null,
  );
  const snapshot = build
    ? [
        parent("snapshot", [
          element("timestamp", build.timestamp),
          element("buildNumber", String(build.number)),
        ]),
      ]
    : [];
  const lastUpdated = newest.map(updatedOf).reduce((a, b) => (a > b ? a : b), "");
  const versions = newest.map((file) => [
    ...(file.classifier === null ? [] : [element("classifier", file.classifier)]),
    element("extension", file.extension),
    element(
      "value",
      file.build ? version.replace(/SNAPSHOT$/, buildText(file.build)) : version,
    ),
    element("updated", updatedOf(file)),
  ]);
  const versioning = [
    ...snapshot,
    element("lastUpdated", lastUpdated),
    parent(
      "snapshotVersions",
      versions.map((each) => parent("snapshotVersion", each)),
    ),
  ];
  return documentOf([
    element("groupId", group),
    element("artifactId", artifact),
    element("version", version),
    parent("versioning", versioning),
  ]);
}

/** Returns the newest file for each classifier and extension. */
function newestOfEach(files: readonly SnapshotFile[]): SnapshotFile[] {
  const found = new Map<string, SnapshotFile>();
  for (const file of files) {
    const key = `${file.classifier ?? ""}:${file.extension}`;
    const known = found.get(key);
    if (!known || isNewer(file, known)) found.set(key, file);
  }
  return [...found]
    .sort(([a], [b]) => Number(a > b) - Number(a < b))
    .map(([, file]) => file);
}

function isNewer(a: SnapshotFile, b: SnapshotFile): boolean {
  if (a.build && b.build) return compareBuilds(a.build, b.build) > 0;
  return updatedOf(a) > updatedOf(b);
}

/**
 * Returns when a file was updated (UTC, `20260131235959`): the timestamp of its build, else its
 * modification date.
 */
const updatedOf = ({ build, lastModifiedDate }: SnapshotFile): string =>
  build?.timestamp.replace(".", "") ?? digitsOf(lastModifiedDate);

/** Formats a time as Maven does: UTC, `20260131235959`. */
const digitsOf = (time: number): string =>
  new Date(time).toISOString().replaceAll(/\D/g, "").slice(0, 14);

const documentOf = (elements: string[]): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${parent("metadata", elements)}\n`;
const element = (name: string, text: string): string =>
  `<${name}>${escaped(text)}</${name}>`;
const parent = (name: string, children: string[]): string =>
  `<${name}>\n${children.join("\n").replaceAll(/^/gm, "  ")}\n</${name}>`;
const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
