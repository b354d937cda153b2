import pLimit, { type LimitFunction } from "p-limit";
import { toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import type { UploadState } from "../../../../domain/outcome.ts";
import { createTurns, type Turns } from "../../../../domain/turns.ts";
import { isMisstatement } from "./misstated.ts";

/** Streams of large blobs at once; small ones are bounded by the images at once. */
const STREAMS = 8;
const MOST_KEPT = 50_000;

export type Placed = "sent" | "found";

/**
 * What the copies from one source to one target know together: make one for a batch, or for all batches of a run to
 * that target. It is only a memory: losing it costs requests, nothing else.
 */
export type ImageMemory = {
  /**
   * Does `work` once for a part (blob or manifest of a target name) however many images want it; "found" for all but
   * the first.
   */
  once: (key: string, signal: AbortSignal, work: () => Promise<Placed>) => Promise<Placed>;
  forget: (keys: readonly string[]) => void;
  /** One after the other for the same key. */
  alone: Turns;
  /** Sizes of blobs, as they were found by reading them. */
  sizes: Map<Digest, number>;
  /** A name at the target that has this blob. */
  homes: Map<Digest, string>;
  /** Uploads under way, by the part's key. */
  uploads: Map<string, UploadState>;
  /** Tags are listed anew from now on: the source changes while a run goes on. */
  forgetTags: () => void;
  /** Tags of a source name that are attached to others; null where the registry does not list tags. */
  attachedTags: (name: string, list: () => Promise<ReadonlySet<string> | null>) => Promise<ReadonlySet<string> | null>;
  /** The target refused a further chunk: large blobs go in one request. */
  wholeBlobs: boolean;
  streams: LimitFunction;
};

export function createImageMemory(): ImageMemory {
  const placed = new Map<string, Promise<Placed>>();
  const tags = new Map<string, Promise<ReadonlySet<string> | null>>();

  /**
   * Waiting for another image's work; undefined when that was stopped, put off or its own manifest's fault, and this
   * one goes on by itself.
   */
  async function joined(known: Promise<Placed>, signal: AbortSignal): Promise<Placed | undefined> {
    try {
      await known;
      return "found";
    } catch (error) {
      const failure = toTransferError(error);
      if ((failure.isPutOff || isMisstatement(failure)) && !signal.aborted) return undefined;
      throw error;
    }
  }

  return {
    async once(key, signal, work) {
      for (;;) {
        const known = placed.get(key);
        if (known === undefined) break;
        const outcome = await joined(known, signal);
        if (outcome !== undefined) return outcome;
      }
      const mine = work();
      keep(placed, key, mine);
      try {
        return await mine;
      } catch (error) {
        const failure = toTransferError(error);
        // What the source lacks may be pushed while a run goes on.
        const passes = failure.retryable || failure.isPutOff || failure.kind === "notFound" || isMisstatement(failure);
        if (passes && placed.get(key) === mine) placed.delete(key);
        throw error;
      }
    },
    forget: (keys) => keys.forEach((key) => placed.delete(key)),
    alone: createTurns(),
    sizes: new Map(),
    homes: new Map(),
    uploads: new Map(),
    forgetTags: () => tags.clear(),
    attachedTags(name, list) {
      const known = tags.get(name);
      if (known !== undefined) return known;
      const listed = list().catch((error: unknown) => {
        tags.delete(name);
        throw error;
      });
      keep(tags, name, listed);
      return listed;
    },
    wholeBlobs: false,
    streams: pLimit(STREAMS),
  };
}

/** Keeps a memory of a long run within bounds: the oldest goes. */
export function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.set(key, value);
  if (map.size <= MOST_KEPT) return;
  const [oldest] = map.keys();
  if (oldest !== undefined) map.delete(oldest);
}
