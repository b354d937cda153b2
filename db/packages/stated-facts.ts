import { hash } from "node:crypto";
import { and, eq, sql } from "drizzle-orm";
import { isChecksum, mavenFolder, parseMavenPath, versionDigest } from "../../domain/maven.ts";
import { tarballFile, tarballPath } from "../../domain/npm.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import type { SourceVersion, StatedVersion, VersionFile, VersionKey } from "../../domain/sync-versions.ts";
import type { Db, DbOrTx } from "../open.ts";
import { getNode, type NodeRow } from "../nodes.ts";
import { node, repository } from "../schema/content.ts";
import { distTagsOf } from "./npm-record.ts";
import { auditOf } from "./stated-applying.ts";
import { findPackage, findVersion } from "./versions.ts";

/** What is answered at once, unless one version alone is more. In characters of JSON. */
const MOST_ANSWERED = 4 * 1024 ** 2;

/**
 * The versions as another instance is to be told of them, each as the JSON of a SourceVersion, in the order of the keys: as many of the first ones as
 * fit into an answer, and at least one. All as they are at one moment.
 */
export function readSourceVersions(db: Db, repositoryId: number, keys: readonly VersionKey[], now: number): string[] {
  return db.transaction((tx) => {
    const answers: string[] = [];
    let length = 0;
    for (const key of keys) {
      const answer = JSON.stringify(readVersion(db, tx, repositoryId, key, now));
      length += answer.length;
      if (answers.length > 0 && length > MOST_ANSWERED) break;
      answers.push(answer);
    }
    return answers;
  });
}

function readVersion(db: Db, tx: DbOrTx, repositoryId: number, key: VersionKey, now: number): SourceVersion {
  const owner = findPackage(tx, repositoryId, key.name);
  const row = owner && findVersion(tx, owner.id, key.version);
  const { type } = tx.select({ type: repository.type }).from(repository).where(eq(repository.id, repositoryId)).get() ?? {};
  if (!row || (type !== "MAVEN" && type !== "NPM")) return { kind: "gone" };
  const common = { package: key.name, version: key.version, document: row.document, ...auditOf(row) };
  if (type === "MAVEN") return readMaven(tx, repositoryId, key, common);
  const tarball = getNode(db, repositoryId, tarballPath(key.name, tarballFile(key.name, key.version)), now);
  const files = tarball ? toFile(tarball) : [];
  const distTags = [...distTagsOf(tx, owner.id)].filter(([, version]) => version === key.version).map(([tag]) => tag);
  return found({ ...common, digest: row.digest, files, distTags });
}

function readMaven(tx: DbOrTx, repositoryId: number, { name, version }: VersionKey, common: Omit<StatedVersion, "digest" | "files" | "distTags">): SourceVersion {
  const inFolder = and(eq(node.repositoryId, repositoryId), eq(node.parent, mavenFolder(name, version)), eq(node.folder, false));
  const { n } = tx.select({ n: sql<number>`count(*)` }).from(node).where(inFolder).get() ?? { n: 0 };
  if (n > SYNC_LIMITS.versionFiles) return { kind: "tooMany", files: n };
  const rows = tx.select().from(node).where(inFolder).orderBy(node.name).all();
  const files = rows.filter(({ fullPath }) => !isChecksum(fullPath) && parseMavenPath(fullPath) !== null).flatMap(toFile);
  return found({ ...common, digest: versionDigest(files, (text) => hash("sha256", text)), files, distTags: [] });
}

const found = (version: StatedVersion): SourceVersion => (version.files.length > 0 ? { kind: "found", version } : { kind: "gone" });

function toFile({ fullPath, size, sha256, metadata, ...row }: NodeRow): VersionFile[] {
  return sha256 === null ? [] : [{ path: fullPath, size, sha256, metadata, ...auditOf(row) }];
}
