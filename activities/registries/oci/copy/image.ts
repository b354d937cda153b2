import { decideTags } from "../../../../domain/decide.ts";
import { isDigest, type Digest } from "../../../../domain/digest.ts";
import { TransferError, toTransferError } from "../../../../domain/failure.ts";
import type {
  ArtifactOutcome,
  ArtifactResult,
  CopyHooks,
  CopyRules,
  UploadState,
} from "../../../../domain/outcome.ts";
import type { Manifest } from "../manifest.ts";
import { findAttached, listAsAttached, sendAttached } from "./attached.ts";
import {
  createTally,
  linkedAbort,
  partKey,
  type ImageCopy,
  type ImageEnd,
} from "./copy.ts";
import type { ManifestHead } from "../question.ts";
import { createHeld, holding } from "./held.ts";
import type { ImageMemory } from "./memory.ts";
import { existing } from "./existing.ts";
import { putManifest, sendBelow } from "./manifests.ts";
import { failureResult } from "../../../../domain/failure-result.ts";

export type CopyImage = {
  source: ImageEnd;
  target: ImageEnd;
  tag: string;
  /** Tags at the target, which all get the same manifest; undefined: the source's tag. */
  targetTags?: readonly string[] | undefined;
  /**
   * The digest of the tag if the batch knows it; the manifest of that digest is copied even if the tag has been
   * moved since.
   */
  sourceDigest?: string | null | undefined;
  rules: CopyRules;
  hooks: CopyHooks;
  /** Unfinished uploads of large blobs by earlier attempts. */
  resume: readonly UploadState[];
  memory: ImageMemory;
};

/**
 * Copies one tag completely: children of an index before its blobs, both before the manifest, attachments
 * before the tag, so that no tag is incomplete. Every failure is an outcome; throws only when `hooks.signal`
 * fires (a TransferError "cancelled").
 */
export async function copyImage(input: CopyImage): Promise<ArtifactOutcome> {
  const { source, target, rules, hooks, memory } = input;
  const { signal, end } = linkedAbort(hooks.signal);
  const copy: ImageCopy = {
    source,
    target,
    rules,
    hooks,
    memory,
    signal,
    giveUp: end,
    tally: createTally(),
    held: createHeld(false),
  };
  for (const state of input.resume) {
    const key = `${target.name}@${state.digest}`;
    // Another worker may have uploaded more than this worker's memory records, so the larger offset is kept.
    if (state.offset >= (memory.uploads.get(key)?.offset ?? 0))
      memory.uploads.set(key, state);
  }
  const learnt: Learnt = {
    digest: isDigest(input.sourceDigest) ? input.sourceDigest : null,
  };
  try {
    const result = await holding(copy, (held) => decide(held, input, learnt));
    return outcome(copy, learnt, result);
  } catch (error) {
    if (hooks.signal.aborted)
      throw new TransferError("cancelled", "stopped", { cause: error });
    return outcome(copy, learnt, await troubleOf(copy, input, toTransferError(error)));
  } finally {
    end();
  }
}

/** Facts that the copy learns for its outcome, even if it fails. */
type Learnt = { digest: Digest | null };

/** The image at the source; its manifest is read on demand. */
type SourceImage = { digest: Digest; mediaType: string; load: () => Promise<Manifest> };

async function decide(
  copy: ImageCopy,
  input: CopyImage,
  learnt: Learnt,
): Promise<ArtifactResult> {
  const { conflictStrategy, mayHaveSent } = copy.rules;
  const there = new Map<string, ManifestHead | null>();
  for (const tag of input.targetTags ?? [input.tag])
    there.set(tag, await existing(copy, tag));
  const image = await findImage(copy, input, [...there.values()]);
  learnt.digest = image.digest;
  const { differing, writes } = decideTags(there, image.digest, conflictStrategy);
  if (writes === "conflict") return conflict(copy, differing);
  if (writes.length > 0) await send(copy, image, writes);
  else await leave(copy, image, differing.length === 0);
  if (differing.length > 0)
    return { kind: conflictStrategy === "OVERWRITE" ? "replaced" : "skipped" };
  return { kind: writes.length > 0 || mayHaveSent ? "sent" : "same" };
}

/**
 * Finds the image with as few requests to the source as possible: if the target lacks the tag, the
 * manifest is needed anyway and read at once.
 */
async function findImage(
  copy: ImageCopy,
  { tag, sourceDigest }: CopyImage,
  there: (ManifestHead | null)[],
): Promise<SourceImage> {
  const reference = isDigest(sourceDigest) ? sourceDigest : tag;
  const head = there.every((found) => found === null)
    ? null
    : await headSource(copy, reference, there);
  if (head !== null) {
    let manifest: Promise<Manifest> | undefined;
    const load = () => (manifest ??= held(copy, head.digest));
    return { digest: head.digest, mediaType: head.mediaType, load };
  }
  const manifest = await held(copy, reference);
  return {
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    load: () => Promise.resolve(manifest),
  };
}

/** Reads the manifest of the image, which is held until its copy ends. */
async function held(copy: ImageCopy, reference: string): Promise<Manifest> {
  const { registry, name } = copy.source;
  const manifest = await registry.getManifest(name, reference, copy.signal);
  copy.held.take(manifest.bytes.length);
  return manifest;
}

/**
 * Returns the head of the source's manifest; null when the source does not have it. If `reference` is a digest
 * that the target has under one of the tags, no request is sent to the source.
 */
async function headSource(
  { source, signal }: ImageCopy,
  reference: string,
  there: (ManifestHead | null)[],
): Promise<ManifestHead | null> {
  const same = there.find((found) => found?.digest === reference);
  return same ?? (await source.registry.headManifest(source.name, reference, signal));
}

async function send(
  copy: ImageCopy,
  image: SourceImage,
  tags: readonly string[],
): Promise<void> {
  const manifest = await image.load();
  await sendBelow(copy, manifest);
  const attached = await findAttached(copy, manifest, image.load);
  if (attached.length > 0) {
    await putManifest(copy, manifest.digest, manifest);
    await sendAttached(copy, attached);
  }
  for (const tag of tags) await putManifest(copy, tag, manifest);
  copy.tally.count("node", "success", manifest.digest, manifest.bytes.length);
  await listAsAttached(copy, manifest);
}

/**
 * Handles an image that is not written to the target. `equal`: the target has the same image, but attachments
 * (such as a signature) may have been added at the source since; they are sent.
 */
async function leave(copy: ImageCopy, image: SourceImage, equal: boolean): Promise<void> {
  copy.tally.sizeUnknown();
  copy.tally.count("node", "skip", image.digest, 0);
  const attached = equal ? await findAttached(copy, image, image.load) : [];
  if (attached.length > 0) await sendAttached(copy, attached);
}

function conflict({ target }: ImageCopy, tags: readonly string[]): ArtifactResult {
  const names = tags.map((tag) => `${target.name}:${tag}`).join(", ");
  const reason = `${target.registry.host} has other content under ${names}, and the conflict strategy is FAST_FAIL`;
  return { kind: "failed", reason, conflict: true, stopsCluster: true };
}

async function troubleOf(
  copy: ImageCopy,
  input: CopyImage,
  failure: TransferError,
): Promise<ArtifactResult> {
  const { resume } = input;
  const { memory, target, tally } = copy;
  const keys = new Set([
    ...resume.map(({ digest }) => `${target.name}@${digest}`),
    ...[...tally.blobs].map((digest) => partKey(copy, digest)),
  ]);
  const uploads = [...keys].flatMap((key) => memory.uploads.get(key) ?? []);
  const passes =
    failure.retryable || (failure.kind === "notFound" && (await isOutdated(input)));
  const result = failureResult(failure, failure.message, uploads, passes);
  if (result.kind !== "failed") return result;
  for (const { location, offset } of uploads)
    await target.registry.cancelUpload(target.name, { location, offset, minChunk: 0 });
  for (const key of keys) memory.uploads.delete(key);
  if (tally.parts.blob.failed === 0) tally.parts.node.failed += 1;
  return result;
}

/**
 * Whether the tag may no longer have the digest that the batch gave: it was deleted or moved since, or the
 * source does not answer. A later batch then gives the current digest. False when the batch gave none.
 */
async function isOutdated({
  source,
  tag,
  sourceDigest,
  hooks,
}: CopyImage): Promise<boolean> {
  if (!isDigest(sourceDigest)) return false;
  const now = await source.registry
    .headManifest(source.name, tag, hooks.signal)
    .catch(() => undefined);
  return now?.digest !== sourceDigest;
}

function outcome(
  { tally }: ImageCopy,
  { digest }: Learnt,
  result: ArtifactResult,
): ArtifactOutcome {
  return {
    result,
    digest,
    size: tally.size(),
    parts: tally.parts,
    bytesSent: tally.bytesSent,
  };
}
