import type { Store } from "../../../activities/store/store.ts";
import { putBlobs } from "../../../db/content/blobs.ts";
import { durable } from "../../../db/durable.ts";
import { getNode } from "../../../db/content/nodes.ts";
import { write } from "../../../db/open.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import { metadataXml, type PluginPrefix } from "../../../domain/maven/metadata.ts";
import type { ApiDeps } from "../../deps.ts";
import { mustBeMade } from "../../http/receive-file.ts";
import { mavenMemory } from "./memory.ts";
import { hostedMaven } from "./repository.ts";
import { childrenOf, readXml, textOf } from "./xml.ts";

const ID = /^[A-Za-z0-9_.-]{1,255}$/;
const LONGEST_NAME = 1024;

/**
 * Returns the plugins with valid names that a `maven-metadata.xml` lists; none if it is not
 * readable.
 */
function pluginsIn(content: Uint8Array): PluginPrefix[] {
  const [list = null] = childrenOf(readXml(content, "metadata"), "plugins");
  return childrenOf(list, "plugin").flatMap((plugin) => {
    const prefix = textOf(plugin, "prefix") ?? "";
    const artifactId = textOf(plugin, "artifactId") ?? "";
    const name = textOf(plugin, "name")?.slice(0, LONGEST_NAME) ?? null;
    return ID.test(prefix) && ID.test(artifactId) ? [{ prefix, artifactId, name }] : [];
  });
}

/** Reads the stored list of a group's plugins; `sha256` names its content. */
export async function readPlugins(
  store: Pick<Store, "open">,
  sha256: string,
): Promise<PluginPrefix[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await store.open(sha256))
    .stream as AsyncIterable<Uint8Array>)
    chunks.push(chunk);
  return pluginsIn(Buffer.concat(chunks));
}

/**
 * Stores the plugin prefixes that the metadata of a client names, together with the known ones. The
 * rest of that metadata is not stored: the server makes its own.
 */
export async function keepPlugins(
  deps: ApiDeps,
  repository: RepositoryRow,
  path: string,
  content: Uint8Array,
  user: string,
): Promise<void> {
  const named = pluginsIn(content);
  // Plugin prefixes are merged one upload after the other: each merge reads what the previous one
  // has stored.
  if (named.length > 0)
    await mavenMemory(deps.store).merging(() =>
      mergePlugins(deps, repository, path, named, user),
    );
}

async function mergePlugins(
  { db, store, now }: ApiDeps,
  repository: RepositoryRow,
  path: string,
  named: PluginPrefix[],
  user: string,
): Promise<void> {
  const node = getNode(db, repository.id, path, now());
  const before = node?.sha256 ? await readPlugins(store, node.sha256) : [];
  const merged = new Map([...before, ...named].map((plugin) => [plugin.prefix, plugin]));
  const plugins = [...merged.values()].sort(
    (a, b) => Number(a.prefix > b.prefix) - Number(a.prefix < b.prefix),
  );
  const content = Buffer.from(metadataXml({ artifact: null, plugins }));
  await store.putAll([{ content }], (blobs) =>
    write(db, (tx) => {
      putBlobs(tx, blobs, now());
      const entries = blobs.map(({ sha256 }) => ({
        fullPath: path,
        sha256,
        metadata: null,
        partOfVersion: true,
      }));
      const there = hostedMaven(db, {
        projectId: repository.projectId,
        repoName: repository.name,
      });
      for (const result of putNodes(db, there, entries, {
        overwrite: true,
        user,
        now: now(),
      }))
        mustBeMade(path, result);
    }),
  );
  await durable(db);
}
