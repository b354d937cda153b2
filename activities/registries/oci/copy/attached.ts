import { TransferError, toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import { isCosigns, type Referrer } from "../../../../domain/image/manifest.ts";
import { isIndexType } from "../../../../domain/image/media-types.ts";
import { attachedTo, fallbackTag } from "../../../../domain/reference.ts";
import { unlessAborted } from "../../unless-aborted.ts";
import type { Page } from "../listing.ts";
import { asReferrer, type Manifest } from "../manifest.ts";
import { manifestLabel } from "../manifest-digest.ts";
import { type Count, MOST_HELD } from "../referrers.ts";
import { together, type ImageCopy, type ImageEnd } from "./copy.ts";
import { existing } from "./existing.ts";
import { addToFallback, listAttached } from "./fallback.ts";
import { sendWhole } from "./manifests.ts";

const COSIGN_SUFFIXES = ["sig", "att", "sbom"];
const SUBJECTS_AT_ONCE = 4;

/**
 * The attachments of one manifest at the source. `tags`: cosign's tags for the manifest; where the source does
 * not list tags, those that may exist.
 */
type Attachments = { subject: Digest; referrers: Referrer[]; tags: string[] };

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

/** Levels of attachments of attachments that are copied, such as the signature of an SBOM of an image (2). */
const MOST_LEVELS = 8;

/** Sends the attachments that the target lacks, and the attachments of those attachments. */
export async function sendAttached(
  copy: ImageCopy,
  found: readonly Attachments[],
): Promise<void> {
  const tags = await attachedTags(copy);
  const queue = found.map((each) => ({ ...each, level: 1 }));
  const visited = new Set<Digest>(found.map(({ subject }) => subject));
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { level } = next;
    const attached = next.referrers.length > 0 ? await sendReferrers(copy, next) : [];
    for (const tag of next.tags) await sendAttachedTag(copy, tag);
    for (const digest of attached) {
      if (visited.has(digest)) continue;
      visited.add(digest);
      const below = await attachedToOne(copy, digest, tags);
      if (below.referrers.length > 0 && level === MOST_LEVELS)
        throw tooDeep(copy.source, digest);
      if (below.referrers.length > 0 || below.tags.length > 0)
        queue.push({ ...below, level: level + 1 });
    }
  }
}

function tooDeep({ registry, name }: ImageEnd, subject: Digest): TransferError {
  return new TransferError(
    "invalid",
    `attachments of ${manifestLabel(name, subject)}: ${registry.host} lists attachments of attachments at more than ` +
      `the ${MOST_LEVELS} levels that are copied: delete attachments that are not needed`,
  );
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
    (listed, letters) => countAttached(copy, subject, listed, letters),
  );
  const cosign = COSIGN_SUFFIXES.map((suffix) => `${fallback}.${suffix}`).filter(has);
  return { subject, referrers: descriptors, tags: cosign, referrersKnown: fromApi };
}

/** Counts entries of a list of attachments among those of the image. Throws `invalid` beyond the limits. */
function countAttached(
  { source, held }: ImageCopy,
  subject: Digest,
  listed: readonly Referrer[],
  letters: number,
): void {
  const { registry, name } = source;
  const { maxTags } = registry.budgets;
  held.attachments.entries += listed.length;
  held.attachments.letters += letters;
  const what = `attachments of ${manifestLabel(name, subject)}`;
  if (held.attachments.entries > maxTags)
    throw new TransferError(
      "invalid",
      `${what}: with them ${registry.host} lists more than ${maxTags} attachments for one image ` +
        "(setting MAX_TAGS): delete attachments that are not needed, or raise the setting if that is right",
    );
  if (held.attachments.letters > MOST_HELD)
    throw new TransferError(
      "invalid",
      `${what}: with them the lists of ${registry.host} for one image have more than the ${MOST_HELD} bytes ` +
        "that are accepted: delete attachments that are not needed",
    );
  held.take(letters);
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
  const { subject, digest } = manifest;
  if (subject === null) return;
  const there = await attachedThere(copy, subject);
  if (there.fromApi || there.digests.has(digest)) return;
  await addToFallback(copy, subject, [asReferrer(manifest)]);
}

/** Returns the digests in the target's list of what is attached to `subject`. */
async function attachedThere(
  copy: ImageCopy,
  subject: Digest,
): Promise<{ digests: ReadonlySet<Digest>; fromApi: boolean }> {
  const { target, held } = copy;
  let letters = 0;
  const count: Count = (_listed, more) => {
    letters += more;
    held.take(more);
  };
  const { descriptors, fromApi } = await listAttached(copy, target, subject, true, count);
  held.give(letters);
  return { digests: new Set(descriptors.map(({ digest }) => digest)), fromApi };
}

/**
 * Sends the referrers of one subject that are not in the target's list of referrers, and adds them to that list
 * unless the target keeps it itself. Returns those that the target has now.
 */
async function sendReferrers(
  copy: ImageCopy,
  { subject, referrers }: Attachments,
): Promise<Digest[]> {
  const { tally } = copy;
  const there = await attachedThere(copy, subject);
  const unlisted: Referrer[] = [];
  const present: Digest[] = [];
  for (const referrer of referrers) {
    if (there.digests.has(referrer.digest)) {
      present.push(referrer.digest);
      tally.count("node", "skip", referrer.digest, referrer.size ?? 0);
      continue;
    }
    const stored = await sendReferrer(copy, subject, referrer);
    if (stored !== null) present.push(referrer.digest);
    if (stored !== null && !stored.indexesSubject) unlisted.push(referrer);
  }
  if (!there.fromApi && unlisted.length > 0) await addToFallback(copy, subject, unlisted);
  return present;
}

/**
 * Sends one referrer. Returns null when the source's list is wrong: the referrer was deleted, or is
 * attached to nothing or to another subject.
 */
async function sendReferrer(
  copy: ImageCopy,
  subject: Digest,
  referrer: Referrer,
): Promise<{ indexesSubject: boolean } | null> {
  const { source, tally, signal } = copy;
  const manifest = await source.registry
    .getManifest(source.name, referrer.digest, signal)
    .catch((error: unknown) => {
      if (toTransferError(error).kind === "notFound") return null;
      throw error;
    });
  if (manifest?.subject !== subject) return null;
  const stored = await sendWhole(copy, referrer.digest, manifest);
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
  await sendWhole(copy, tag, manifest);
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
