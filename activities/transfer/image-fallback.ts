import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { Digest } from "../../domain/digest.ts";
import { fallbackTag } from "../../domain/reference.ts";
import { OCI_INDEX, parseIndex, type Descriptor, type Manifest } from "../registries/oci/manifest.ts";
import { digestOf } from "../registries/verified.ts";
import { sent, type ImageCopy, type ImageEnd } from "./image-copy.ts";

/** Writers that know nothing of each other may update one list at once; each looks again after writing. */
const ROUNDS = 4;

export type Listed = { descriptors: Descriptor[]; fromApi: boolean };

/** What `end` lists as attached to `subject`: by the referrers API and, where `fallback` says it may be there, by the fallback tag. */
export async function listAttached(copy: ImageCopy, end: ImageEnd, subject: Digest, fallback: boolean): Promise<Listed> {
  const { registry, name } = end;
  const listed = await registry.listReferrers(name, subject, copy.signal);
  const byTag = fallback && (listed === null || end === copy.source) ? await fallbackIndex(copy, end, subject) : null;
  const all = [...(listed ?? []), ...(byTag?.descriptors ?? [])];
  return { descriptors: [...new Map(all.map((item) => [item.digest, item])).values()], fromApi: listed !== null };
}

/** Adds descriptors to the target's fallback index; what others listed there stays. */
export async function addToFallback(copy: ImageCopy, subject: Digest, added: readonly Descriptor[]): Promise<void> {
  const { target, seen, hooks, signal } = copy;
  const tag = fallbackTag(subject);
  await seen.alone(`${target.name}:${tag}`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const there = await fallbackIndex(copy, target, subject);
      const listed = new Set(there?.descriptors.map(({ digest }) => digest));
      const missing = added.filter(({ digest }) => !listed.has(digest));
      if (missing.length === 0) return;
      const bytes = withDescriptors(there?.manifest ?? null, missing);
      await hooks.throttle(bytes.length);
      await target.registry.putManifest(target.name, tag, { bytes, digest: digestOf(bytes), mediaType: OCI_INDEX }, signal);
      sent(copy, bytes.length);
    }
    throw new TransferError("server", `the list of what is attached to ${target.name}@${subject} (tag ${tag}) changes all the time at ${target.registry.host}`);
  });
}

async function fallbackIndex({ signal }: ImageCopy, { registry, name }: ImageEnd, subject: Digest): Promise<{ descriptors: Descriptor[]; manifest: Manifest } | null> {
  const tag = fallbackTag(subject);
  const manifest = await registry.getManifest(name, tag, signal).catch((error: unknown) => {
    if (toTransferError(error).kind === "notFound") return null;
    throw error;
  });
  if (manifest === null) return null;
  const descriptors = parseIndex(manifest.bytes, `index ${name}:${tag}`);
  if (descriptors === null) throw new TransferError("invalid", `the tag ${name}:${tag} of ${registry.host} must be an index of what is attached, and is none: delete it there`);
  return { descriptors, manifest };
}

/** The index document with more entries; its other fields are kept as they are. */
function withDescriptors(old: Manifest | null, added: readonly Descriptor[]): Buffer {
  const index = old === null ? {} : (JSON.parse(old.bytes.toString("utf8")) as { manifests?: unknown[] });
  const manifests = [...(index.manifests ?? []), ...added.map(({ json }) => json)];
  return Buffer.from(JSON.stringify({ ...index, schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}
