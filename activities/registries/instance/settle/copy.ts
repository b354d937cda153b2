import pLimit from "p-limit";
import { type Part, subjectOf } from "../../../../domain/artifact.ts";
import { failedOutcome } from "../../../../domain/artifact-outcome.ts";
import { type TransferError, toTransferError } from "../../../../domain/failure.ts";
import type { ArtifactOutcome } from "../../../../domain/outcome.ts";
import type { RepositoryType } from "../../../../domain/vocabulary.ts";
import type { Capabilities } from "../../../../domain/sync.ts";
import type { Settling, SettlingArtifact } from "../../contract.ts";
import { throwIfStopped } from "../../unless-aborted.ts";
import type { InstanceClient } from "../client.ts";
import type { RemoteRepository } from "../send.ts";
import type { Calls } from "./calls.ts";

/** A part whose sha256 and size are known, from its source or because it was read. */
export type KnownPart = Part & { size: number; digests: { sha256: string } };

/** One artifact that is being settled. */
export type Item = SettlingArtifact & {
  index: number;
  settled: boolean;
  /** The parts as its source describes them, with the facts that were learned when they were read. */
  parts: Part[];
  /** Size of its JSON in a declaration in bytes, estimated too high rather than too low. */
  length: number;
  /** The parts whose content the target needs. */
  needs: Part[];
  /** Content bytes sent to the target for this artifact. */
  sent: number;
  /** Content was sent to the target for this artifact, now or in an earlier attempt. */
  carried: boolean;
};

/**
 * The state of one batch. `stopped`: a conflict under FAST_FAIL occurred, so nothing new begins. `uploading`: large
 * contents (sha256) whose upload is running or done.
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
    carried: false,
  };
}

/** Returns the artifact with the learned facts of its parts. */
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
  settle(copy, item, failedOutcome(learned(item), error, item.uploads, item.sent));
}

export const labelOf = (item: Item): string => subjectOf(item.artifact);

/** Runs `work`; its failure becomes the outcome of all `items` without one. An abort is thrown. */
export async function guarded(
  copy: Pick<Copy, "hooks" | "report">,
  items: readonly Item[],
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    throwIfStopped(copy.hooks.signal);
    for (const item of items) settleFailure(copy, item, toTransferError(error));
  }
}

/**
 * Runs `work` on each element, `width` at once, and returns when all running work has ended. Nothing new begins after a
 * stop. Once the time of the batch is over, only the first `width` elements still begin, so every batch progresses
 * however slow an end is.
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
 * Packs things in their order into groups whose sums stay within all limits; a thing that exceeds a limit on its own
 * forms its own group.
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
