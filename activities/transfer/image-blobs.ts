import { toTransferError } from "../../domain/failure.ts";
import { blobLabel } from "../registries/oci/blobs.ts";
import { isForeign, type Descriptor } from "../registries/oci/manifest.ts";
import type { UploadSession } from "../registries/oci/uploads.ts";
import { verified } from "../registries/verified.ts";
import { linkedAbort, metered, partKey, sent, type ImageCopy } from "./image-copy.ts";
import { keep, type Placed } from "./image-memory.ts";
import { CHUNK_BYTES, sendInChunks } from "./image-chunks.ts";
import { yieldWhole } from "./slice.ts";

/** Up to this size a blob is held in memory: one buffer and as few requests as the target allows. */
const SMALL_BYTES = 64 * 1024;

/** Puts one blob at the target unless it is there; foreign layers stay where their URLs point, as docker leaves them. */
export async function copyBlob(copy: ImageCopy, blob: Descriptor): Promise<void> {
  const { tally } = copy;
  if (isForeign(blob)) return tally.count("blob", "skip", blob.digest, 0);
  tally.blobs.add(blob.digest);
  try {
    const placed = await copy.seen.once(partKey(copy, blob.digest), copy.signal, () => place(copy, blob));
    tally.count("blob", placed === "sent" ? "success" : "skip", blob.digest, blob.size);
  } catch (error) {
    const failure = toTransferError(error);
    if (!failure.retryable && !failure.isPutOff) {
      tally.count("blob", "failed", blob.digest, blob.size);
      copy.giveUp();
    }
    throw error;
  }
}

async function place(copy: ImageCopy, blob: Descriptor): Promise<Placed> {
  const { target, seen } = copy;
  const home = seen.homes.get(blob.digest) ?? target.name;
  const placed = blob.size <= SMALL_BYTES && home === target.name ? await placeSmall(copy, blob) : await placeFrom(copy, blob, home);
  keep(seen.homes, blob.digest, target.name);
  seen.uploads.delete(partKey(copy, blob.digest));
  return placed;
}

async function placeSmall(copy: ImageCopy, blob: Descriptor): Promise<Placed> {
  const { target, signal } = copy;
  return target.registry.putSmallBlob(target.name, blob, () => readSmall(copy, blob), signal);
}

/** `home`: a name that has the blob, if it is another than the target's. */
async function placeFrom(copy: ImageCopy, blob: Descriptor, home: string): Promise<Placed> {
  const { registry, name } = copy.target;
  if (await registry.hasBlob(name, blob, copy.signal)) return "found";
  const begun = home === name ? null : await registry.startUpload(name, blob.digest, home, copy.signal);
  if (begun !== "mounted") await send(copy, blob, begun);
  return "sent";
}

async function send(copy: ImageCopy, blob: Descriptor, session: UploadSession | null): Promise<void> {
  const { seen, hooks } = copy;
  const isLarge = blob.size > CHUNK_BYTES;
  await seen.streams(async () => {
    const chunked = isLarge && !seen.wholeBlobs;
    const done = chunked && (await sendInChunks(copy, blob, session));
    if (done) return;
    if (isLarge) yieldWhole(hooks.slice);
    await sendWhole(copy, blob, chunked ? null : session);
  });
}

async function readSmall(copy: ImageCopy, blob: Descriptor): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of verifiedSource(copy, blob, copy.signal)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  for (let left = bytes.length; left > 0; ) left -= await copy.hooks.throttle(left);
  sent(copy, bytes.length);
  return bytes;
}

/** One stream through one request: for blobs up to a chunk, and for registries that take no chunks. */
async function sendWhole(copy: ImageCopy, blob: Descriptor, begun: UploadSession | null): Promise<void> {
  const { target, signal } = copy;
  const { registry, name } = target;
  const session = begun ?? (await registry.startUpload(name, blob.digest, null, signal));
  if (session === "mounted") return;
  const reading = linkedAbort(signal);
  try {
    const body = metered(copy, verifiedSource(copy, blob, reading.signal));
    await registry.finishUpload(name, session, blob, { body, length: blob.size }, signal);
  } catch (error) {
    if (toTransferError(error).kind === "digestMismatch") await registry.cancelUpload(name, session);
    throw error;
  } finally {
    reading.end();
  }
}

async function* verifiedSource(copy: ImageCopy, blob: Descriptor, signal: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  const { registry, name } = copy.source;
  const stream = await registry.openBlob(name, blob, 0, signal);
  yield* verified(stream, blob, `${blobLabel(name, blob.digest)} of ${registry.host}`);
}
