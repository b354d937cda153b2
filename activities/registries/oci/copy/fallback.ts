import { TransferError, toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import {
  parseObject,
  type Referrer,
  referrersIn,
} from "../../../../domain/image/manifest.ts";
import { isIndexType, OCI_INDEX } from "../../../../domain/image/media-types.ts";
import { fallbackTag } from "../../../../domain/reference.ts";
import { digestOf } from "../../verified.ts";
import type { ManifestDocument } from "../manifests.ts";
import { type Count, lettersOf } from "../referrers.ts";
import { cannotTell } from "../told.ts";
import { listsReferrers } from "./attachment.ts";
import { sent, type ImageCopy, type ImageEnd } from "./copy.ts";

/**
 * How often the update of a list of attachments is tried: other writers may change the list at the same time,
 * so it is read again after each write.
 */
const ROUNDS = 4;

type Listed = { descriptors: Referrer[]; fromApi: boolean };

/**
 * Lists what is attached to `subject` at `end`: by the referrers API and, if `fallback` is true (the tag may
 * exist), by the fallback tag. A target with the API is not asked for the tag. `count` gets the entries as they come,
 * and ends the list when it throws.
 */
export async function listAttached(
  copy: ImageCopy,
  end: ImageEnd,
  subject: Digest,
  fallback: boolean,
  count: Count,
): Promise<Listed> {
  const { registry, name } = end;
  const listed = await registry.listReferrers(name, subject, copy.signal, count);
  const byTag =
    fallback && (listed === null || end === copy.source)
      ? await fallbackManifest(copy, end, subject)
      : null;
  const known = new Map((listed ?? []).map((item) => [item.digest, item]));
  const tagged = byTag === null ? [] : entriesOf(byTag, subject);
  const added = tagged.filter(({ digest }) => !known.has(digest));
  count(added, lettersOf(added));
  for (const item of tagged) known.set(item.digest, item);
  return { descriptors: [...known.values()], fromApi: listed !== null };
}

/**
 * Returns the entries of a list of attachments; none when the fallback tag names an ordinary image.
 * Entries with a platform belong to images and are never attachments.
 */
function entriesOf(
  { mediaType, digest, bytes }: ManifestDocument,
  subject: Digest,
): Referrer[] {
  if (!isIndexType(mediaType) || digest === subject) return [];
  return (referrersIn(bytes) ?? []).filter(({ json }) => json["platform"] === undefined);
}

/**
 * Adds descriptors to the fallback index at the target and keeps the entries of other writers. Throws `invalid`
 * when the tag names another image, `server` when the index keeps changing.
 */
export async function addToFallback(
  copy: ImageCopy,
  subject: Digest,
  added: readonly Referrer[],
): Promise<void> {
  const { target, memory, hooks, signal } = copy;
  const tag = fallbackTag(subject);
  await memory.alone(`${target.name}:${tag}`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const there = await fallbackManifest(copy, target, subject);
      const listed = new Set(
        there === null ? [] : entriesOf(there, subject).map(({ digest }) => digest),
      );
      const missing = added.filter(({ digest }) => !listed.has(digest));
      if (missing.length === 0) return;
      if (there !== null && !(await listsReferrers(target, subject, there, signal)))
        throw takenTag(target, tag, subject);
      const bytes = withDescriptors(there, missing);
      await hooks.throttle(bytes.length);
      await target.registry.putManifest(
        target.name,
        tag,
        { bytes, digest: digestOf(bytes), mediaType: OCI_INDEX },
        signal,
      );
      sent(copy, bytes.length);
    }
    throw new TransferError(
      "server",
      `the list of attachments of ${target.name}@${subject} (tag ${tag}) ` +
        `keeps changing at ${target.registry.host}: check who else writes there`,
    );
  });
}

function takenTag(
  { registry, name }: ImageEnd,
  tag: string,
  subject: Digest,
): TransferError {
  const place = `${registry.host} lists attachments of ${name}@${subject} only under the tag ${tag}`;
  return new TransferError(
    "invalid",
    `${place}, which is the tag of another image there: give that image another tag`,
  );
}

/**
 * Reads the manifest of the fallback tag. Null when the tag does not exist, and when a registry permanently
 * refuses to show it: the source, or the target under OVERWRITE.
 */
async function fallbackManifest(
  copy: ImageCopy,
  end: ImageEnd,
  subject: Digest,
): Promise<ManifestDocument | null> {
  const tag = fallbackTag(subject);
  return end.registry.getDocument(end.name, tag, copy.signal).catch((error: unknown) => {
    const refusal = toTransferError(error);
    if (refusal.kind === "notFound") return null;
    if (refusal.retryable || refusal.isPutOff) throw refusal;
    // If the source refuses to show its list, the attachments in it cannot be copied. Under OVERWRITE
    // the target's list is written anew.
    if (end === copy.source || copy.rules.conflictStrategy === "OVERWRITE") return null;
    throw cannotTell(`the list of attachments ${end.name}:${tag}`, end.registry.host, {
      kind: "untold",
      refusal,
    });
  });
}

/**
 * Returns the index document `old` (null: a new one) with additional entries; except for empty entries and its
 * type, the rest is unchanged.
 */
function withDescriptors(
  old: ManifestDocument | null,
  added: readonly Referrer[],
): Buffer {
  const index = old === null ? {} : parseObject(old.bytes);
  const listed = Array.isArray(index["manifests"]) ? index["manifests"] : [];
  const manifests = [
    ...listed.filter((entry) => entry !== null),
    ...added.map(({ json }) => json),
  ];
  return Buffer.from(
    JSON.stringify({ ...index, schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
  );
}
