import type { Digest } from "../../../../domain/digest.ts";
import { toTransferError } from "../../../../domain/failure.ts";
import {
  noParts,
  type CopyHooks,
  type CopyRules,
  type PartCounts,
  type Parts,
} from "../../../../domain/outcome.ts";
import { safeSize } from "../../../../domain/safe-size.ts";
import { metered as meteredBody } from "../../body.ts";
import type { OciRegistry } from "../registry.ts";
import type { Held } from "./held.ts";
import type { ImageMemory } from "./memory.ts";

/** One end of a copy: a registry, and the image's repository (`name`) relative to the registry's namespace. */
export type ImageEnd = { registry: OciRegistry; name: string };

/** The state of the copy of one image, which its parts share. */
export type ImageCopy = {
  source: ImageEnd;
  target: ImageEnd;
  rules: CopyRules;
  hooks: CopyHooks;
  /**
   * Fires when the caller stops the copy, when a part failed permanently and the rest is in vain, or when the
   * copy ends.
   */
  signal: AbortSignal;
  /** Stops the work on the other parts after a permanent failure. */
  giveUp: () => void;
  memory: ImageMemory;
  tally: Tally;
  held: Held;
};

/** Counts each part of an image once, even if several of its manifests name it. */
type Tally = {
  readonly parts: Parts;
  bytesSent: number;
  /**
   * Digests of the blobs that this copy has begun to place at the target; an `again` outcome includes the
   * states of their unfinished uploads.
   */
  readonly blobs: Set<Digest>;
  count: (kind: keyof Parts, how: keyof PartCounts, digest: Digest, size: number) => void;
  /**
   * Records that the image's size is unknown: the target already has a manifest with everything below
   * it, so those parts are not counted.
   */
  sizeUnknown: () => void;
  size: () => number | null;
};

export function createTally(): Tally {
  const parts = noParts();
  const counted = new Set<Digest>();
  let total = 0;
  let known = true;
  return {
    parts,
    bytesSent: 0,
    blobs: new Set(),
    count(kind, how, digest, size) {
      if (counted.has(digest)) return;
      counted.add(digest);
      parts[kind][how] += 1;
      // Some sizes are only what a manifest or a list says.
      total = safeSize(total + size);
    },
    sizeUnknown: () => (known = false),
    size: () => (known && total > 0 ? total : null),
  };
}

/** Returns the key of a part at the target in the memory of the copier. */
export function partKey(copy: ImageCopy, digest: Digest): string {
  return `${copy.target.name}@${digest}`;
}

/**
 * Passes a body through at the allowed rate: its bytes wait for the rate limit, and are counted once they were
 * taken by the request.
 */
export function metered(
  copy: ImageCopy,
  source: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, void, undefined> {
  return meteredBody(source, copy.hooks.throttle, (bytes) => sent(copy, bytes));
}

export function sent(copy: ImageCopy, bytes: number): void {
  copy.tally.bytesSent += bytes;
  copy.hooks.onBytes(bytes);
}

/**
 * Runs `work` on `items`, a few at a time. After a failure nothing new begins; the failure is thrown once all running
 * work has ended.
 */
export async function together<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      if (failures.length > 0) return;
      await work(item).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  // A part that was cancelled because another part failed does not know the reason, so the error of the
  // other part is thrown.
  const telling = failures.find(
    (failure) => toTransferError(failure).kind !== "cancelled",
  );
  if (failures.length > 0) throw telling ?? failures[0];
}

/**
 * Returns a signal that fires with `outer` or when `end` is called: a read that feeds a write must not
 * outlive the write.
 */
export function linkedAbort(outer: AbortSignal): {
  signal: AbortSignal;
  end: () => void;
} {
  const inner = new AbortController();
  const follow = () => inner.abort(outer.reason);
  if (outer.aborted) follow();
  outer.addEventListener("abort", follow, { once: true });
  return {
    signal: inner.signal,
    end() {
      outer.removeEventListener("abort", follow);
      inner.abort();
    },
  };
}
