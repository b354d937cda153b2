import { TransferError, toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import type { Descriptor } from "../../../../domain/image/manifest.ts";
import type { Manifest } from "../manifest.ts";
import { copyBlob } from "./blobs.ts";
import { partKey, sent, together, type ImageCopy } from "./copy.ts";
import type { Placed } from "./memory.ts";
import { checkLevel } from "./nesting.ts";

const BLOBS_AT_ONCE = 6;
const CHILDREN_AT_ONCE = 4;
/** Error codes with which a registry refuses a manifest because parts of it are missing. */
const LACKING: ReadonlySet<string> = new Set([
  "BLOB_UNKNOWN",
  "MANIFEST_BLOB_UNKNOWN",
  "MANIFEST_UNKNOWN",
]);

/**
 * Sends what the target lacks of the parts of a manifest, but not the manifest itself: children with their
 * parts, then blobs. `level`: the levels of indexes, from 1 for a manifest in no index.
 */
export async function sendBelow(
  copy: ImageCopy,
  manifest: Manifest,
  level = 1,
): Promise<void> {
  const atOnce = copy.held.alone ? 1 : CHILDREN_AT_ONCE;
  await together(manifest.children, atOnce, (child) =>
    sendChild(copy, manifest, child, level + 1),
  );
  await together(manifest.blobs, BLOBS_AT_ONCE, (blob) => copyBlob(copy, manifest, blob));
}

/**
 * Sends a manifest of an index under its digest, with the parts below it, unless the target has the manifest.
 * If it has, the parts count as present: registries refuse a manifest whose parts are missing.
 */
async function sendChild(
  copy: ImageCopy,
  parent: Manifest,
  child: Descriptor,
  level: number,
): Promise<void> {
  const { source, target, memory, signal, tally } = copy;
  let size = 0;
  const placed = await memory.once(
    partKey(copy, child.digest),
    signal,
    async (): Promise<Placed> => {
      // Unless the target reports that it has the manifest, the manifest is written: addressed by its
      // digest, it cannot replace another one.
      if (
        (await target.registry.askManifest(target.name, child.digest, signal)).kind ===
        "there"
      )
        return "found";
      const manifest = await source.registry
        .getManifest(source.name, child.digest, signal)
        .catch((error: unknown) => {
          throw missingChild(copy, parent, child, error);
        });
      // The index may misstate it.
      size = manifest.bytes.length;
      checkLevel(copy, manifest, level);
      await sendWhole(copy, child.digest, manifest, level);
      return "sent";
    },
  );
  if (placed === "found") tally.sizeUnknown();
  tally.count("node", placed === "sent" ? "success" : "skip", child.digest, size);
}

function missingChild(
  { source }: ImageCopy,
  parent: Manifest,
  child: Descriptor,
  error: unknown,
): unknown {
  if (toTransferError(error).kind !== "notFound") return error;
  const index = `index ${source.name}@${parent.digest}`;
  const lack = `names ${child.digest}, which the registry ${source.registry.host} does not have`;
  const message = `${index} ${lack}: push the complete index there again`;
  return new TransferError("notFound", message, { cause: error });
}

/** Sends a manifest, which is held meanwhile, after the parts below it. */
export async function sendWhole(
  copy: ImageCopy,
  reference: Digest | string,
  manifest: Manifest,
  level = 1,
): Promise<{ indexesSubject: boolean }> {
  const { length } = manifest.bytes;
  copy.held.take(length);
  await sendBelow(copy, manifest, level);
  const stored = await putManifest(copy, reference, manifest);
  copy.held.give(length);
  return stored;
}

/** Writes a manifest whose parts are all at the target. */
export async function putManifest(
  copy: ImageCopy,
  reference: Digest | string,
  manifest: Manifest,
): Promise<{ indexesSubject: boolean }> {
  const { target, hooks, signal } = copy;
  await hooks.throttle(manifest.bytes.length);
  const stored = await target.registry
    .putManifest(target.name, reference, manifest, signal)
    .catch((error: unknown) => {
      throw lostParts(copy, manifest, error);
    });
  sent(copy, manifest.bytes.length);
  return stored;
}

/**
 * Returns the error to throw for a manifest that could not be written. If the target refused it
 * because parts are missing (removed by its garbage collection), the memory forgets all parts of the
 * manifest, and the error is retryable.
 */
function lostParts(
  { target, memory, ...copy }: ImageCopy,
  manifest: Manifest,
  error: unknown,
): unknown {
  if (!toTransferError(error).codes?.some((code) => LACKING.has(code))) return error;
  memory.forget(
    [...manifest.blobs, ...manifest.children].map(({ digest }) =>
      partKey({ target, memory, ...copy }, digest),
    ),
  );
  return new TransferError(
    "server",
    `${toTransferError(error).message}; the missing parts are sent again`,
    {
      cause: error,
    },
  );
}
