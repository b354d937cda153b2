import { hash } from "node:crypto";
import { and, eq, sql } from "drizzle-orm";
import {
  buildText,
  isChecksum,
  isMainArtifact,
  isPom,
  type MavenFile,
  mavenFolder,
  mavenPackage,
  parseMavenPath,
  versionDigest,
} from "../../../domain/maven/layout.ts";
import type { Audit } from "../../audit.ts";
import type { DbOrTx } from "../../open.ts";
import { node } from "../../schema/content.ts";
import { packages } from "../../schema/packages.ts";
import {
  deleteVersionRow,
  findPackage,
  findVersion,
  type PackageRepository,
  putVersion,
  tellVersion,
  type VersionEntry,
  type VersionRow,
} from "../versions.ts";

/**
 * The packagings that POMs name, by the sha256 of the POM. They are read from the POMs
 * (api/hosted/maven/pom.ts), or another instance declares them.
 */
export type Packagings = ReadonlyMap<string, string>;

/** A file of a Maven version with the facts of its node. */
export type MavenNode = MavenFile & {
  path: string;
  sha256: string;
  size: number;
  lastModifiedDate: number;
};

/**
 * Returns all files of a version, of all its builds; checksums and files outside of Maven's layout
 * do not count.
 */
export function mavenFiles(
  db: DbOrTx,
  repositoryId: number,
  packageName: string,
  version: string,
): MavenNode[] {
  const { fullPath: path, sha256, size, lastModifiedDate } = node;
  const where = and(
    eq(node.repositoryId, repositoryId),
    eq(node.parent, mavenFolder(packageName, version)),
    eq(node.folder, false),
  );
  return db
    .select({ path, sha256, size, lastModifiedDate })
    .from(node)
    .where(where)
    .all()
    .flatMap((row): MavenNode[] => {
      const file = isChecksum(row.path) ? null : parseMavenPath(row.path);
      if (!file || row.sha256 === null) return [];
      // The fields are copied one by one: a SNAPSHOT version may have thousands of files, and spreading
      // them would dominate the run time.
      const { group, artifact, classifier, extension, build } = file;
      return [
        {
          group,
          artifact,
          version: file.version,
          classifier,
          extension,
          build,
          path: row.path,
          sha256: row.sha256,
          size: row.size,
          lastModifiedDate: row.lastModifiedDate,
        },
      ];
    });
}

/**
 * Brings the versions in step with their files, in the transaction that made, changed or deleted
 * the nodes at `paths`: makes and changes versions, writes an event if one of `paths` is in a
 * complete build, deletes versions without files. Checksums and paths outside the Maven layout are
 * ignored. `packagings`: those of the POMs among `paths`; those of other POMs are stored. A POM of
 * unknown packaging counts as that of a jar.
 */
export function recordMavenFiles(
  tx: DbOrTx,
  repository: PackageRepository,
  paths: readonly string[],
  audit: Audit,
  now: number,
  packagings: Packagings = new Map(),
): void {
  for (const { packageName, version, changed } of versionsOf(paths)) {
    const files = mavenFiles(tx, repository.id, packageName, version);
    const owner = findPackage(tx, repository.id, packageName);
    const before = owner && findVersion(tx, owner.id, version);
    if (files.length === 0) {
      if (before) dropVersion(tx, before, now);
      continue;
    }
    const { entry, ready } = judge(version, files, before, packagings);
    if (
      before?.digest === entry.digest &&
      before.complete === entry.complete &&
      sameDocument(before, entry)
    )
      continue;
    const made = putVersion(tx, repository.id, packageName, entry, audit);
    if (ready.some(({ path }) => changed.has(path)))
      tellVersion(tx, repository, packageName, made, now);
  }
}

function versionsOf(
  paths: readonly string[],
): { packageName: string; version: string; changed: Set<string> }[] {
  const found = new Map<
    string,
    { packageName: string; version: string; changed: Set<string> }
  >();
  for (const path of paths) {
    const file = isChecksum(path) ? null : parseMavenPath(path);
    if (!file) continue;
    const packageName = mavenPackage(file);
    const key = mavenFolder(packageName, file.version);
    const known = found.get(key) ?? {
      packageName,
      version: file.version,
      changed: new Set<string>(),
    };
    found.set(key, known);
    known.changed.add(path);
  }
  return [...found.values()];
}

/**
 * Deletes a version's row and moves the date of its package forward: maven-metadata.xml shows that
 * date as the last change.
 */
function dropVersion(tx: DbOrTx, row: VersionRow, now: number): void {
  deleteVersionRow(tx, row);
  tx.update(packages)
    .set({ lastModifiedDate: sql`max(${packages.lastModifiedDate}, ${now})` })
    .where(eq(packages.id, row.packageId))
    .run();
}

/** Builds the row of a version from its files; `ready`: the files of its complete builds. */
function judge(
  version: string,
  files: MavenNode[],
  before: VersionRow | undefined,
  packagings: Packagings,
): { entry: VersionEntry; ready: MavenNode[] } {
  const known = { ...knownPackagings(before), ...Object.fromEntries(packagings) };
  const poms = files.filter(isPom);
  const document = Object.fromEntries(
    poms.flatMap(({ sha256 }) =>
      known[sha256] === undefined ? [] : [[sha256, known[sha256]]],
    ),
  );
  const ready = [...byBuild(files).values()]
    .filter((build) => isComplete(build, document))
    .flat();
  const size = files.reduce((sum, file) => sum + file.size, 0);
  const digest = versionDigest(files, (text) => hash("sha256", text));
  return {
    entry: {
      name: version,
      digest,
      size,
      complete: ready.length > 0,
      document: { packagings: document },
    },
    ready,
  };
}

/**
 * Groups the files of a version by build. A release has one build; a snapshot has one for each
 * timestamp, and one for files without a timestamp.
 */
function byBuild(files: MavenNode[]): Map<string, MavenNode[]> {
  const builds = new Map<string, MavenNode[]>();
  for (const file of files) {
    const key = file.build ? buildText(file.build) : "";
    const build = builds.get(key);
    if (build) build.push(file);
    else builds.set(key, [file]);
  }
  return builds;
}

function isComplete(
  build: MavenNode[],
  packagings: Record<string, string | undefined>,
): boolean {
  const pom = build.find(isPom);
  return (
    pom !== undefined && (packagings[pom.sha256] === "pom" || build.some(isMainArtifact))
  );
}

/**
 * Returns the packagings in a version's document, {} if it has none. They are stored there because
 * other transactions cannot read the content of its POMs.
 */
function knownPackagings(
  row: Pick<VersionRow, "document"> | undefined,
): Record<string, string> {
  const kept = row?.document?.["packagings"];
  return typeof kept === "object" && kept !== null
    ? (kept as Record<string, string>)
    : {};
}

const sameDocument = (
  a: Pick<VersionRow, "document">,
  b: Pick<VersionRow, "document">,
): boolean => JSON.stringify(knownPackagings(a)) === JSON.stringify(knownPackagings(b));
