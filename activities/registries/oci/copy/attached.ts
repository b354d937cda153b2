import { toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import { type Descriptor, isCosigns } from "../../../../domain/image/manifest.ts";
import { isIndexType } from "../../../../domain/image/media-types.ts";
import { attachedTo, fallbackTag } from "../../../../domain/reference.ts";
import { unlessAborted } from "../../unless-aborted.ts";
import type { Page } from "../listing.ts";
import type { Manifest } from "../manifest.ts";
import { together, type ImageCopy } from "./copy.ts";
import { existing } from "./existing.ts";
import { addToFallback, listAttached } from "./fallback.ts";
import { putManifest, sendBelow } from "./manifests.ts";

const COSIGN_SUFFIXES = ["sig", "att", "sbom"];
const SUBJECTS_AT_ONCE = 4;

/**
 * The attachments of one manifest at the source. `tags`: cosign's tags for the manifest; where the source does
 * not list tags, those that may exist.
 */
type Attachments = { subject: Digest; referrers: Descriptor[]; tags: string[] };

/**
 * Finds what is attached to an image and, if the image is an index, to each of its children. `manifest`
 * is called only if the children are needed.
 */
export async function findAttached(
  copy: ImageCopy,
  image: { digest: Digest; mediaType: string },
  manifest: () => Promise<Manifest>,
): Promise<Attachments[]> {
  const tags = await attachedTags(copy);
  const own = await attachedToOne(copy, image.digest, tags);
  const others =
    tags === null || [...tags].some((tag) => attachedTo(tag)?.subject !== image.digest);
  const mayHaveMore = isIndexType(image.mediaType) && (own.referrersKnown || others);
  const children = mayHaveMore ? (await manifest()).children : [];
  const found: Attachments[] = [own];
  await together(children, SUBJECTS_AT_ONCE, async (child) => {
    found.push(await attachedToOne(copy, child.digest, tags));
  });
  return found.filter(
    ({ referrers, tags: names }) => referrers.length > 0 || names.length > 0,
  );
}

/** Sends the attachments that the target lacks, and the attachments of those attachments. */
export async function sendAttached(
  copy: ImageCopy,
  found: readonly Attachments[],
): Promise<void> {
  const tags = await attachedTags(copy);
  const queue = [...found];
  const visited = new Set<Digest>(found.map(({ subject }) => subject));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (next.referrers.length > 0) await sendReferrers(copy, next);
    for (const tag of next.tags) await sendAttachedTag(copy, tag);
    for (const { digest } of next.referrers) {
      if (visited.has(digest)) continue;
      visited.add(digest);
      queue.push(await attachedToOne(copy, digest, tags));
    }
  }
}

async function attachedToOne(
  copy: ImageCopy,
  subject: Digest,
  tags: ReadonlySet<string> | null,
): Promise<Attachments & { referrersKnown: boolean }> {
  const has = (tag: string) => tags === null || tags.has(tag);
  const fallback = fallbackTag(subject);
  const { descriptors, fromApi } = await listAttached(
    copy,
    copy.source,
    subject,
    has(fallback),
  );
  const cosign = COSIGN_SUFFIXES.map((suffix) => `${fallback}.${suffix}`).filter(has);
  return { subject, referrers: descriptors, tags: cosign, referrersKnown: fromApi };
}

/**
 * Returns the tags of the source that are named like attachments; they are listed once per repository. Null:
 * the source does not list tags, so each tag must be requested.
 */
async function attachedTags({
  source,
  memory,
  signal,
}: ImageCopy): Promise<ReadonlySet<string> | null> {
  const listed = memory.attachedTags(source.name, async () => {
    const found = new Set<string>();
    let cursor: string | null = null;
    do {
      const page: Page | null | "refused" = await source.registry
        .listTags(source.name, cursor)
        .catch((error: unknown) => {
          const failure = toTransferError(error);
          if (failure.retryable || failure.isPutOff) throw failure;
          return "refused";
        });
      if (page === "refused") return null;
      for (const tag of page?.items ?? []) if (attachedTo(tag) !== null) found.add(tag);
      cursor = page?.next ?? null;
    } while (cursor !== null);
    return found;
  });
  return unlessAborted(listed, signal);
}

/**
 * Adds a tagged manifest that is attached to another one to the target's list of attachments, unless that list
 * contains it or the target keeps the list itself.
 */
export async function listAsAttached(copy: ImageCopy, manifest: Manifest): Promise<void> {
  const { subject, description, digest, mediaType, bytes } = manifest;
  if (subject === null) return;
  const there = await listAttached(copy, copy.target, subject, true);
  if (there.fromApi || there.descriptors.some((item) => item.digest === digest)) return;
  await addToFallback(copy, subject, [
    { mediaType, digest, size: bytes.length, urls: [], json: description },
  ]);
}

/**
 * Sends the referrers of one subject that are not in the target's list of referrers, and adds them to that list
 * unless the target keeps it itself.
 */
async function sendReferrers(
  copy: ImageCopy,
  { subject, referrers }: Attachments,
): Promise<void> {
  const { target, tally } = copy;
  const there = await listAttached(copy, target, subject, true);
  const listed = new Set(there.descriptors.map(({ digest }) => digest));
  const unlisted: Descriptor[] = [];
  for (const referrer of referrers) {
    if (listed.has(referrer.digest)) {
      tally.count("node", "skip", referrer.digest, referrer.size ?? 0);
      continue;
    }
    const stored = await sendReferrer(copy, subject, referrer);
    if (stored !== null && !stored.indexesSubject) unlisted.push(referrer);
  }
  if (!there.fromApi && unlisted.length > 0) await addToFallback(copy, subject, unlisted);
}

/**
 * Sends one referrer. Returns null when the source's list is wrong: the referrer was deleted, or is
 * attached to nothing or to another subject.
 */
async function sendReferrer(
  copy: ImageCopy,
  subject: Digest,
  referrer: Descriptor,
): Promise<{ indexesSubject: boolean } | null> {
  const { source, tally, signal } = copy;
  const manifest = await source.registry
    .getManifest(source.name, referrer.digest, signal)
    .catch((error: unknown) => {
      if (toTransferError(error).kind === "notFound") return null;
      throw error;
    });
  if (manifest?.subject !== subject) return null;
  await sendBelow(copy, manifest);
  const stored = await putManifest(copy, referrer.digest, manifest);
  tally.count("node", "success", referrer.digest, manifest.bytes.length);
  return stored;
}

/**
 * Sends one of cosign's tags, if the source has it. If the target has the tag with other content, it is
 * replaced only if all of that content's signatures are kept, or under OVERWRITE.
 */
async function sendAttachedTag(copy: ImageCopy, tag: string): Promise<void> {
  const { source, target, rules, signal, tally } = copy;
  const told = await source.registry.askManifest(source.name, tag, signal);
  if (told.kind !== "there") return;
  const here = told.value;
  const there = await existing(copy, tag);
  if (there?.digest === here.digest)
    return tally.count("node", "skip", here.digest, here.size);
  const manifest = await source.registry.getManifest(source.name, tag, signal);
  if (there !== null && rules.conflictStrategy !== "OVERWRITE") {
    const old = await target.registry.getManifest(target.name, there.digest, signal);
    if (!holdsAll(manifest, old))
      return tally.count("node", "skip", manifest.digest, manifest.bytes.length);
  }
  await sendBelow(copy, manifest);
  await putManifest(copy, tag, manifest);
  tally.count("node", "success", manifest.digest, manifest.bytes.length);
}

/**
 * Whether both manifests are cosign's and `manifest` contains all signatures of `old`. Each signature is a
 * layer; the config derives from the layers.
 */
function holdsAll(manifest: Manifest, old: Manifest): boolean {
  if (!isCosigns(manifest) || !isCosigns(old)) return false;
  const layers = new Set(manifest.blobs.map(({ digest }) => digest));
  return old.blobs.slice(1).every(({ digest }) => layers.has(digest));
}
