import { hash } from "node:crypto";
import type { Context } from "hono";
import {
  artifactIn,
  knownArtifacts,
  pluginsIn,
  snapshotIn,
} from "../../../db/packages/maven/metadata.ts";
import { getNode } from "../../../db/content/nodes.ts";
import type { Db } from "../../../db/open.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import type { Checksum } from "../../../domain/maven/layout.ts";
import {
  defaultPrefix,
  metadataXml,
  type PluginPrefix,
  snapshotXml,
} from "../../../domain/maven/metadata.ts";
import { parentOf } from "../../../domain/path.ts";
import { matchesTag } from "../../http/byte-range.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { readPlugins } from "./plugins.ts";

type Metadata = { content: string; lastModified: number };

/**
 * Makes the `maven-metadata.xml` of a folder from the folder's content: that of a snapshot, of an
 * artifact, of a group with plugins, or of the last two in one. Returns null if the folder is none
 * of these.
 */
export async function metadataAt(
  { db, store, now }: Pick<ApiDeps, "db" | "store" | "now">,
  { id }: Pick<RepositoryRow, "id">,
  path: string,
): Promise<Metadata | null> {
  const [, ...segments] = parentOf(path).split("/");
  const [version = "", ofSnapshot = "", ...aboveSnapshot] = segments.toReversed();
  const snapshot = {
    group: aboveSnapshot.reverse().join("."),
    artifact: ofSnapshot,
    version,
  };
  const files = snapshotIn(db, id, snapshot);
  if (files)
    return {
      content: snapshotXml(snapshot, files),
      lastModified: Math.max(...files.map((file) => file.lastModifiedDate)),
    };

  const artifact = artifactIn(db, id, {
    group: segments.slice(0, -1).join("."),
    artifact: segments.at(-1) ?? "",
  });
  const node = getNode(db, id, path, now());
  const plugins = pluginsOf(
    db,
    id,
    segments.join("."),
    node?.sha256 ? await readPlugins(store, node.sha256) : [],
  );
  if (!artifact && plugins.length === 0) return null;
  return {
    content: metadataXml({ artifact, plugins }),
    lastModified: Math.max(artifact?.lastUpdated ?? 0, node?.lastModifiedDate ?? 0),
  };
}

/**
 * Returns the existing plugins of a group: those whose prefixes clients have sent (`told`), and
 * those that only their POM and name show to be plugins, with the prefix in the name.
 */
function pluginsOf(
  db: Db,
  repositoryId: number,
  group: string,
  told: PluginPrefix[],
): PluginPrefix[] {
  const known = knownArtifacts(
    db,
    repositoryId,
    group,
    told.map(({ artifactId }) => artifactId),
  );
  const named = pluginsIn(db, repositoryId, group).filter(
    (artifactId) => !told.some((plugin) => plugin.artifactId === artifactId),
  );
  return [
    ...told.filter(({ artifactId }) => known.has(artifactId)),
    ...named.map((artifactId) => ({
      prefix: defaultPrefix(artifactId),
      artifactId,
      name: null,
    })),
  ];
}

export const checksumOfMetadata = ({ content }: Metadata, checksum: Checksum): string =>
  hash(checksum, content);

export function sendMetadata(
  c: Context<Env>,
  { content, lastModified }: Metadata,
): Response {
  const tag = hash("sha256", content);
  const headers = {
    "cache-control": "no-cache",
    "content-type": "application/xml; charset=utf-8",
    "x-content-type-options": "nosniff",
    etag: `"${tag}"`,
    ...(lastModified > 0
      ? { "last-modified": new Date(lastModified).toUTCString() }
      : {}),
    "x-checksum-sha256": tag,
    "x-checksum-sha1": hash("sha1", content),
    "x-checksum-md5": hash("md5", content),
  };
  if (matchesTag(c.req.header("if-none-match"), tag)) return c.body(null, 304, headers);
  return c.body(content, 200, {
    ...headers,
    "content-length": String(Buffer.byteLength(content)),
  });
}
