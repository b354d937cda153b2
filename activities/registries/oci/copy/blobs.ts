import { toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import { type Descriptor, isForeign } from "../../../../domain/image/manifest.ts";
import { yieldWhole } from "../../../../domain/slice.ts";
import type { Manifest } from "../manifest.ts";
import type { UploadSession } from "../uploads.ts";
import { CHUNK_BYTES, sendInChunks } from "./chunks.ts";
import { linkedAbort, metered, partKey, sent, type ImageCopy } from "./copy.ts";
import { keep, type Placed } from "./memory.ts";
import { isMisstatement, misstatedSize } from "./misstated.ts";
import { readSource, type SizedBlob } from "./sized.ts";

/**
 * A blob up to this size (bytes) is read into memory and sent with as few requests as the target allows, unless
 * another repository at the target is known to have it.
 */
const SMALL_BYTES = 64 * 1024;

/** Copies one blob of a manifest to the target unless the target has it. Foreign layers stay at their URLs. */
export async function copyBlob(
  copy: ImageCopy,
  manifest: Manifest,
  blob: Descriptor,
): Promise<void> {
  const { memory, signal, source, tally } = copy;
  if (isForeign(blob)) return tally.count("blob", "skip", blob.digest, 0);
  tally.blobs.add(blob.digest);
  let size = blob.size;
  const misstated = (actual: number) =>
    misstatedSize(source.name, manifest, blob, actual);
  const check = () => {
    const actual = memory.sizes.get(blob.digest);
    if (actual !== undefined && actual !== blob.size && blob.size !== null)
      throw misstated(actual);
  };
  try {
    check();
    size ??= await findSize(copy, blob.digest);
    const sized = { digest: blob.digest, size, misstated };
    const placed = await memory.once(partKey(copy, blob.digest), signal, () =>
      place(copy, sized),
    );
    check();
    tally.count("blob", placed === "sent" ? "success" : "skip", blob.digest, size);
  } catch (error) {
    const failure = toTransferError(error);
    if (!failure.retryable && !failure.isPutOff) {
      tally.count("blob", "failed", blob.digest, size ?? 0);
      copy.giveUp();
    }
    throw error;
  }
}

/** Finds the size of a blob whose manifest does not state it. */
async function findSize(
  { memory, source, signal }: ImageCopy,
  digest: Digest,
): Promise<number> {
  const { registry, name } = source;
  const known =
    memory.sizes.get(digest) ??
    (await registry.headBlob(name, digest, signal).catch(() => null))?.size ??
    null;
  if (known !== null) return known;
  let size = 0;
  for await (const chunk of await registry.openBlob(
    name,
    { digest, size: null },
    0,
    signal,
  ))
    size += chunk.length;
  return size;
}

async function place(copy: ImageCopy, blob: SizedBlob): Promise<Placed> {
  const { target, memory } = copy;
  const home = memory.homes.get(blob.digest) ?? target.name;
  const placed =
    blob.size <= SMALL_BYTES && home === target.name
      ? await placeSmall(copy, blob)
      : await placeFrom(copy, blob, home);
  keep(memory.homes, blob.digest, target.name);
  memory.uploads.delete(partKey(copy, blob.digest));
  return placed;
}

async function placeSmall(copy: ImageCopy, blob: SizedBlob): Promise<Placed> {
  const { target, signal } = copy;
  return target.registry.putSmallBlob(
    target.name,
    blob,
    () => readSmall(copy, blob),
    signal,
  );
}

/**
 * Copies a blob unless the image's repository at the target has it. `home`: a repository at the target that has
 * the blob and from which it can be mounted, or the image's own repository.
 */
async function placeFrom(
  copy: ImageCopy,
  blob: SizedBlob,
  home: string,
): Promise<Placed> {
  const { registry, name } = copy.target;
  if (await registry.hasBlob(name, blob, copy.signal)) return "found";
  const begun =
    home === name
      ? null
      : await registry.startUpload(name, blob.digest, home, copy.signal);
  if (begun !== "mounted") await send(copy, blob, begun);
  return "sent";
}

async function send(
  copy: ImageCopy,
  blob: SizedBlob,
  session: UploadSession | null,
): Promise<void> {
  const { memory, hooks } = copy;
  const isLarge = blob.size > CHUNK_BYTES;
  await memory.streams(async () => {
    const chunked = isLarge && !memory.wholeBlobs;
    const done = chunked && (await sendInChunks(copy, blob, session));
    if (done) return;
    if (isLarge) yieldWhole(hooks.slice);
    await sendWhole(copy, blob, chunked ? null : session);
  });
}

async function readSmall(copy: ImageCopy, blob: SizedBlob): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readSource(copy, blob, copy.signal)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  for (let left = bytes.length; left > 0;) left -= await copy.hooks.throttle(left);
  sent(copy, bytes.length);
  return bytes;
}

/**
 * Sends a blob as one stream in one request, for blobs up to the size of a chunk and for registries that refuse
 * chunks.
 */
async function sendWhole(
  copy: ImageCopy,
  blob: SizedBlob,
  begun: UploadSession | null,
): Promise<void> {
  const { target, signal } = copy;
  const { registry, name } = target;
  const session = begun ?? (await registry.startUpload(name, blob.digest, null, signal));
  if (session === "mounted") return;
  const reading = linkedAbort(signal);
  try {
    const body = metered(copy, readSource(copy, blob, reading.signal));
    await registry.finishUpload(name, session, blob, { body, length: blob.size }, signal);
  } catch (error) {
    const failure = toTransferError(error);
    if (failure.kind === "digestMismatch" || isMisstatement(failure))
      await registry.cancelUpload(name, session);
    throw error;
  } finally {
    reading.end();
  }
}
