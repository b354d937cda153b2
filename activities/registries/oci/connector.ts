import { imageNames } from "../../../domain/image/objects.ts";
import type { Closing, Connector, Copier, End, Lister } from "../contract.ts";
import type { Check, CheckUse } from "../../../domain/check.ts";
import { instanceUrl } from "../instance/wire.ts";
import { authorizationOf } from "../login.ts";
import { copyImage } from "./copy/image.ts";
import { listImagePage } from "./copy/listing.ts";
import { createImageMemory } from "./copy/memory.ts";
import { createOciRegistry, createOciRegistryAt, type OciRegistry } from "./registry.ts";

/**
 * The connector of image registries (distribution-spec 1.1). An image is a graph with mounts and
 * referrers instead of a flat list of parts, so this connector has a copier.
 */
export const oci = {
  lister: openLister,
  copier: openCopier,
  check,
} as const satisfies Connector;

function openLister(end: End): Lister & Closing {
  const registry = openRegistry(end, false);
  return {
    async list({ packages }, cursor, signal) {
      const page = await listImagePage({
        registry,
        ...imageNames([...packages]),
        cursor,
        signal,
      });
      const found = page.artifacts.map(({ name, tag }) => ({
        name,
        version: tag,
        size: null,
        digest: null,
      }));
      const missing = page.missing.map((name) => ({
        name,
        version: "",
        reason: `image ${name} is not in the registry ${end.url}, or has no tags: check the package's name`,
      }));
      return {
        found,
        missing,
        attached: page.attached.map(({ name, tag }) => ({ name, version: tag })),
        next: page.next,
      };
    },
    close: registry.close,
  };
}

/** Opens a copier. All images that it copies share one memory of the target. */
function openCopier(from: End, to: End): Copier & Closing {
  const [source, target] = [openRegistry(from, false), openRegistry(to, true)];
  const memory = createImageMemory();
  return {
    sourceChanged: memory.forgetTags,
    copy: ({ name, version, digest, targetVersions, rules, hooks, uploads }) =>
      copyImage({
        source: { registry: source, name: nameAt(from, name) },
        target: { registry: target, name: nameAt(to, name) },
        tag: version,
        sourceDigest: digest,
        targetTags: targetVersions,
        rules,
        hooks,
        resume: uploads,
        memory,
      }),
    close: async () => void (await Promise.all([source.close(), target.close()])),
  };
}

const nameAt = ({ namespace }: End, name: string): string =>
  namespace === "" ? name : `${namespace}/${name}`;

/**
 * Opens a registry. The path of its url is the namespace of its repositories, except at an instance: there it
 * is the path below which a proxy serves the instance, and its registry, too.
 */
function openRegistry(end: End, pushes: boolean): OciRegistry {
  if (end.instance !== true) return createOciRegistry({ ...end, pushes });
  const { origin, pathname } = instanceUrl(end.url);
  const authorize = end.authorize ?? (() => authorizationOf(end) ?? undefined);
  return createOciRegistryAt(
    { origin, base: pathname.replace(/\/$/, ""), namespace: "" },
    { ...end, authorization: authorize, pushes },
  );
}

async function check(end: End, use: CheckUse, signal: AbortSignal): Promise<Check> {
  const registry = openRegistry(end, false);
  try {
    return await registry.check({ name: null, use }, signal);
  } finally {
    await registry.close();
  }
}
