import type { Digest } from "../../../../domain/digest.ts";
import { toTransferError } from "../../../../domain/failure.ts";
import { isCosigns, referrersIn } from "../../../../domain/image/manifest.ts";
import { isIndexType } from "../../../../domain/image/media-types.ts";
import { attachedTo } from "../../../../domain/reference.ts";
import { parseManifest } from "../manifest.ts";
import type { ManifestDocument } from "../manifests.ts";
import type { ImageEnd } from "./copy.ts";

/**
 * Whether a tag that is named like an attachment is one: its manifest is the list of attachments of the digest
 * in its name, or an artifact of cosign, and that digest exists. Otherwise, or when the registry does not
 * report it, the tag is an image of its own.
 */
export async function isAttachment(
  end: ImageEnd,
  tag: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const named = attachedTo(tag);
  if (named === null) return false;
  const document = await orNone(end.registry.getDocument(end.name, tag, signal));
  if (document === null) return false;
  const attached =
    named.suffix === null
      ? await listsReferrers(end, named.subject, document, signal)
      : holdsCosigns(document);
  if (!attached) return false;
  const subject = await end.registry.askManifest(end.name, named.subject, signal);
  return subject.kind === "there";
}

/** Entries of a list that are asked for until one is readable. */
const MOST_ASKED = 100;

/**
 * Whether a manifest is the list of attachments of `subject`: an index whose first readable entry is attached
 * to that digest. An index without a readable entry among its first MOST_ASKED counts, too.
 */
export async function listsReferrers(
  end: ImageEnd,
  subject: Digest,
  manifest: ManifestDocument,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (!isIndexType(manifest.mediaType) || manifest.digest === subject) return false;
  const entries = referrersIn(manifest.bytes) ?? [];
  for (const { digest } of entries.slice(0, MOST_ASKED)) {
    const entry = await orNone(end.registry.getManifest(end.name, digest, signal));
    if (entry !== null) return entry.subject === subject;
  }
  return true;
}

function holdsCosigns({ bytes, digest, mediaType }: ManifestDocument): boolean {
  try {
    return isCosigns(
      parseManifest(bytes, digest, mediaType, { what: "", shown: String }),
    );
  } catch {
    return false;
  }
}

/**
 * Returns the document, or null when the document does not exist or cannot be read; throws failures that may
 * pass.
 */
async function orNone<T>(reading: Promise<T>): Promise<T | null> {
  return reading.catch((error: unknown) => {
    const failure = toTransferError(error);
    if (failure.retryable || failure.isPutOff) throw failure;
    return null;
  });
}
