import pLimit from "p-limit";
import { type Part, subjectOf } from "../../../../domain/artifact.ts";
import { failedOutcome } from "../../../../domain/artifact-outcome.ts";
import { type TransferError, toTransferError } from "../../../../domain/failure.ts";
import type { ArtifactOutcome } from "../../../../domain/outcome.ts";
import type { RepositoryType } from "../../../../domain/vocabulary.ts";
import type { Capabilities } from "../../../../domain/sync.ts";
import type { Settling, SettlingArtifact } from "../../contract.ts";
import { throwIfStopped } from "../../unless-aborted.ts";
import { hasWritten, watchWrites } from "../../writes.ts";
import type { InstanceClient } from "../client.ts";
import type { RemoteRepository } from "../send.ts";
import type { Calls } from "./calls.ts";

/** A part whose sha256 and size are known: its source states them, or it was read. */
export type KnownPart = Part & { size: number; digests: { sha256: string } };

/** One artifact that is being settled. */
export type Item = SettlingArtifact & {
  index: number;
  settled: boolean;
  /** The parts as the source describes them; size and digests are added when a part was read. */
  parts: Part[];
  /** Estimated size (bytes) of the artifact's JSON in a declaration. */
  length: number;
  /** The parts whose content the target needs. */
  needs: Part[];
  /** Content bytes sent to the target for this artifact. */
  sent: number;
  /** Whether an earlier step of this attempt may have changed something at the target. */
  wrote: boolean;
  /**
   * Whether this attempt attached or uploaded the content of a single file, or continued its upload. If several
   * files share the content, it counts for one of them. Not used for versions.
   */
  carried: boolean;
};

/**
 * The state of one call of `settle`. `stopped`: a conflict under FAST_FAIL occurred, so nothing new begins.
 * `uploading`: by sha256, the large contents whose upload has begun.
 */
export type Copy = Settling & {
  client: InstanceClient;
  calls: Calls;
  remote: RemoteRepository;
  type: RepositoryType;
  capabilities: Capabilities;
  stopped: boolean;
  uploading: Map<string, Promise<void>>;
};

export function isKnown(part: Part): part is KnownPart {
  return part.size !== null && part.digests.sha256 !== undefined;
}

export function toItem(entry: SettlingArtifact, index: number): Item {
  const { artifact } = entry;
  return {
    ...entry,
    index,
    settled: false,
    parts: [...artifact.parts],
    length: 0,
    needs: [],
    sent: 0,
    wrote: false,
    carried: false,
  };
}

/** Returns the artifact with the sizes and digests of its parts that were learned by reading them. */
export const learned = ({ artifact, parts }: Item) => ({ ...artifact, parts });

/** Replaces a part of the item by the same part with its size and sha256. */
export function learn(item: Item, part: Part, known: KnownPart): void {
  item.parts = item.parts.map((each) => (each.path === part.path ? known : each));
  item.needs = item.needs.map((each) => (each.path === part.path ? known : each));
}

export function settle(
  copy: Pick<Copy, "report">,
  item: Item,
  outcome: ArtifactOutcome,
): void {
  if (item.settled) return;
  item.settled = true;
  copy.report(item.index, outcome);
}

export function settleFailure(
  copy: Pick<Copy, "report">,
  item: Item,
  error: TransferError,
): void {
  const outcome = failedOutcome(learned(item), error, item.uploads, item.sent);
  const unsent = !item.wrote && !hasWritten();
  settle(copy, item, unsent ? { ...outcome, unsent } : outcome);
}

export const labelOf = (item: Item): string => subjectOf(item.artifact);

/**
 * Runs `work`. A failure of it becomes the outcome of those `items` that have no outcome yet; an abort
 * is thrown instead.
 */
export async function guarded(
  copy: Pick<Copy, "hooks" | "report">,
  items: readonly Item[],
  work: () => Promise<void>,
): Promise<void> {
  await watchWrites(async () => {
    try {
      await work();
    } catch (error) {
      throwIfStopped(copy.hooks.signal);
      for (const item of items) settleFailure(copy, item, toTransferError(error));
    } finally {
      if (hasWritten()) for (const item of items) item.wrote = true;
    }
  });
}

/**
 * Runs `work` on each element, `width` at once, and waits until all running work has ended; throws when the
 * signal has fired or work failed. Nothing new begins after a stop. Once the slice of the batch is over, only
 * the first `width` elements still begin, so every batch makes progress however slow an end is.
 */
export async function together<T>(
  copy: Pick<Copy, "hooks" | "stopped">,
  list: readonly T[],
  width: number,
  work: (each: T) => Promise<unknown>,
): Promise<void> {
  const limit = pLimit(width);
  const { signal, slice } = copy.hooks;
  const mayBegin = (at: number) =>
    !copy.stopped && !signal.aborted && (at < width || !slice.isOver());
  const ended = await Promise.allSettled(
    list.map((each, at) => limit(async () => (mayBegin(at) ? work(each) : undefined))),
  );
  throwIfStopped(signal);
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

/**
 * Packs items in their order into groups whose sums stay within all limits; an item that alone exceeds
 * a limit forms a group of its own.
 */
export function pack<T>(
  things: readonly T[],
  weigh: (thing: T) => number[],
  limits: number[],
): T[][] {
  const packs: T[][] = [];
  let sums: number[] = [];
  for (const thing of things) {
    const own = weigh(thing);
    const grown = own.map((weight, i) => weight + (sums[i] ?? 0));
    const current = packs.at(-1);
    if (current && grown.every((sum, i) => sum <= (limits[i] ?? Infinity))) {
      current.push(thing);
      sums = grown;
    } else {
      packs.push([thing]);
      sums = own;
    }
  }
  return packs;
}
