import { createHash, randomBytes } from "node:crypto";
import { versionDigest } from "../../../domain/maven/layout.ts";
import { encodeStatement } from "../../../domain/sync.ts";
import type {
  StatedVersion,
  VersionFile,
  VersionsStatement,
} from "../../../domain/sync-versions.ts";
import type { Artifact } from "../../../domain/artifact.ts";
import { sha256 } from "../api/content-fixture.ts";

export const DATES = {
  createdBy: "ann",
  createdDate: Date.UTC(2024, 0, 2),
  lastModifiedBy: "ben",
  lastModifiedDate: Date.UTC(2025, 3, 4),
};

/** A version as declared, and the bytes of its files by path. */
export type Built = { stated: StatedVersion; bytes: Map<string, Buffer> };
type Files = Record<string, Buffer>;

function fileOf(path: string, content: Buffer): VersionFile {
  return { path, size: content.length, sha256: sha256(content), metadata: {}, ...DATES };
}

export const pom = (
  group: string,
  artifact: string,
  version: string,
  packaging = "jar",
): Buffer =>
  Buffer.from(
    "<project><modelVersion>4.0.0</modelVersion>" +
      `<groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version>` +
      `<packaging>${packaging}</packaging></project>\n`,
  );

export const mavenPath = (name: string, version: string, file: string): string =>
  `/${name.replace(":", ".").replaceAll(".", "/")}/${version}/${file}`;

/**
 * Builds a Maven version: its POM, and a file for each name (`-sources.jar`, `.jar`) that follows
 * `{artifact}-{version}`.
 */
export function mavenVersion(
  name: string,
  version: string,
  files: Files = { ".jar": randomBytes(500) },
  packaging = "jar",
): Built {
  const [group = "", artifact = ""] = name.split(":");
  const own = pom(group, artifact, version, packaging);
  const folder = `/${group.replaceAll(".", "/")}/${artifact}/${version}`;
  const bytes = new Map(
    Object.entries({ ".pom": own, ...files }).map(([rest, content]) => [
      `${folder}/${artifact}-${version}${rest}`,
      content,
    ]),
  );
  const stated = [...bytes].map(([path, content]) => fileOf(path, content));
  const document = { packagings: { [sha256(own)]: packaging } };
  return {
    stated: {
      package: name,
      version,
      digest: versionDigest(stated, sha256),
      files: stated,
      document,
      distTags: [],
      ...DATES,
    },
    bytes,
  };
}

export function npmVersion(
  name: string,
  version: string,
  {
    tarball = randomBytes(500),
    distTags = [],
    more = {},
  }: { tarball?: Buffer; distTags?: string[]; more?: Record<string, unknown> } = {},
): Built {
  const file = `${name.slice(name.indexOf("/") + 1)}-${version}.tgz`;
  const path = `/${name}/-/${file}`;
  const dist = {
    tarball: path.slice(1),
    shasum: createHash("sha1").update(tarball).digest("hex"),
    integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}`,
  };
  const document = {
    name,
    version,
    _id: `${name}@${version}`,
    description: `about ${name}`,
    ...more,
    dist,
  };
  return {
    stated: {
      package: name,
      version,
      digest: `sha256:${sha256(tarball)}`,
      files: [fileOf(path, tarball)],
      document,
      distTags,
      ...DATES,
    },
    bytes: new Map([[path, tarball]]),
  };
}

/** Turns a declared version into an artifact as its source describes it. */
export function artifactOf({
  package: name,
  version,
  digest,
  files,
  document,
  distTags,
  ...origin
}: StatedVersion): Artifact {
  const parts = files.map(({ path, size, sha256: hex, metadata, ...of }) => ({
    path,
    size,
    digests: { sha256: hex },
    metadata,
    origin: of,
  }));
  return { name, version, parts, digest, document, tags: distTags, origin };
}

/** Returns the body of a request that declares versions, with the given contents attached. */
export function frame(
  type: string,
  versions: unknown[],
  contents: Buffer[] = [],
  changes: Partial<Record<keyof VersionsStatement, unknown>> = {},
): Buffer {
  const attached = contents.map((content) => ({
    sha256: sha256(content),
    size: content.length,
  }));
  const statement = {
    type,
    conflictStrategy: "SKIP",
    includeMetadata: true,
    contents: attached,
    versions,
    ...changes,
  };
  return Buffer.concat([encodeStatement(statement), ...contents]);
}
