import pLimit, { type LimitFunction } from "p-limit";
import { setBounded } from "../../../../domain/bounded.ts";
import { type TransferError, toTransferError } from "../../../../domain/failure.ts";
import type { Digest } from "../../../../domain/digest.ts";
import type { UploadState } from "../../../../domain/outcome.ts";
import { createTurns, type Turns } from "../../../../domain/turns.ts";
import { isMisstatement } from "./misstated.ts";
import { isNestedTooDeeply } from "./nesting.ts";

/** Maximum number of blobs that are streamed concurrently; small blobs that are read into memory do not count. */
const STREAMS = 8;
const MOST_KEPT = 50_000;

export type Placed = "sent" | "found";

/**
 * The shared memory of all copies from one source to one target, for one batch or for all batches of a
 * run. Losing it only costs requests.
 */
export type ImageMemory = {
  /**
   * Runs `work` once for a part (a blob or manifest of a repository at the target), even if many images need
   * the part; returns "found" to all callers but the first. After a failure that may pass, or that only one
   * image's manifest caused, a later caller runs `work` again; any other failure is thrown to all callers.
   */
  once: (
    key: string,
    signal: AbortSignal,
    work: () => Promise<Placed>,
  ) => Promise<Placed>;
  forget: (keys: readonly string[]) => void;
  /** Runs work for the same key one after the other. */
  alone: Turns;
  /** True sizes of blobs that were read. */
  sizes: Map<Digest, number>;
  /** By digest of a blob: a repository at the target that has the blob. */
  homes: Map<Digest, string>;
  /** Open uploads, by the key of the part (`partKey`). */
  uploads: Map<string, UploadState>;
  /** Forgets the lists of tags, since the source may change during a run. */
  forgetTags: () => void;
  /**
   * Returns the remembered tags of a source's repository that are named like attachments, or else those that
   * `list` returns; null when the registry does not list tags.
   */
  attachedTags: (
    name: string,
    list: () => Promise<ReadonlySet<string> | null>,
  ) => Promise<ReadonlySet<string> | null>;
  /** Whether the target has refused a further chunk, so that large blobs must be sent in one request. */
  wholeBlobs: boolean;
  streams: LimitFunction;
};

export function createImageMemory(): ImageMemory {
  const placed = new Map<string, Promise<Placed>>();
  const tags = new Map<string, Promise<ReadonlySet<string> | null>>();

  /**
   * Waits for another image's work on a part. Returns undefined when that work was stopped, put off or failed
   * because of that image's manifest, so that the waiting image must do the work itself; throws any other
   * failure.
   */
  async function joined(
    known: Promise<Placed>,
    signal: AbortSignal,
  ): Promise<Placed | undefined> {
    try {
      await known;
      return "found";
    } catch (error) {
      const failure = toTransferError(error);
      if ((failure.isPutOff || isOfOneImage(failure)) && !signal.aborted)
        return undefined;
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
        // A retry can help: for example, a part that the source lacks may be pushed during the run.
        const passes =
          failure.retryable ||
          failure.isPutOff ||
          failure.kind === "notFound" ||
          isOfOneImage(failure);
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

/** Whether a failure says something about the image under way, and nothing about the part itself. */
const isOfOneImage = (failure: TransferError): boolean =>
  isMisstatement(failure) || isNestedTooDeeply(failure);

/** Adds an entry and drops the oldest one beyond the limit, so that the memory of a long run stays bounded. */
export function keep<K, V>(map: Map<K, V>, key: K, value: V): void {
  setBounded(map, key, value, MOST_KEPT);
}
