import type { Digest } from "../../../../domain/digest.ts";
import { toTransferError } from "../../../../domain/failure.ts";
import { noParts, type CopyHooks, type CopyRules, type PartCounts, type Parts } from "../../../../domain/outcome.ts";
import { metered as meteredBody } from "../../body.ts";
import type { OciRegistry } from "../registry.ts";
import type { ImageMemory } from "./memory.ts";

/** One end of a copy: a registry and the image's name in it, relative to the registry's namespace. */
export type ImageEnd = { registry: OciRegistry; name: string };

/** The copy of one image, as its parts see it. */
export type ImageCopy = {
  source: ImageEnd;
  target: ImageEnd;
  rules: CopyRules;
  hooks: CopyHooks;
  /** Ends when the caller says so, or when a part failed for good and the rest is in vain. */
  signal: AbortSignal;
  /** Ends the other parts' work: one failed for good. */
  giveUp: () => void;
  seen: ImageMemory;
  tally: Tally;
};

/** Counts each part of an image once, however many of its manifests name it. */
type Tally = {
  readonly parts: Parts;
  bytesSent: number;
  /** Digests whose upload has begun here, for the states an `again` hands on. */
  readonly blobs: Set<Digest>;
  count: (kind: keyof Parts, how: keyof PartCounts, digest: Digest, size: number) => void;
  /** A part was found whole at the target, so what lies below it was not looked at. */
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
      total += size;
    },
    sizeUnknown: () => (known = false),
    size: () => (known && total > 0 ? total : null),
  };
}

/** The memory's key of a part at the target. */
export function partKey(copy: ImageCopy, digest: Digest): string {
  return `${copy.target.name}@${digest}`;
}

/** Body bytes on their way to the target: they wait for the rate limit before, and are counted after. */
export function metered(copy: ImageCopy, source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  return meteredBody(source, copy.hooks.throttle, (bytes) => sent(copy, bytes));
}

export function sent(copy: ImageCopy, bytes: number): void {
  copy.tally.bytesSent += bytes;
  copy.hooks.onBytes(bytes);
}

/**
 * Works on `items`, a few at a time. After a failure nothing more is begun; what is under way ends before the failure
 * is thrown.
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
  // A part that was stopped because of another says nothing; the reason is the other's.
  const telling = failures.find((failure) => toTransferError(failure).kind !== "cancelled");
  if (failures.length > 0) throw telling ?? failures[0];
}

/** A signal that follows `outer` and can be ended before it: the read that feeds a write must not outlive it. */
export function linkedAbort(outer: AbortSignal): { signal: AbortSignal; end: () => void } {
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
