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

/** A part whose content was read, or is told of by its sha256 and size. */
export type KnownPart = Part & { size: number; digests: { sha256: string } };

/** One artifact on its way. */
export type Item = SettlingArtifact & {
  index: number;
  settled: boolean;
  /** What its source tells of its parts, and what was learned when they were read. */
  parts: Part[];
  /** Bytes of its JSON in a statement, rather too many than too few. */
  length: number;
  /** The parts whose content the target lacks. */
  needs: Part[];
  /** Content bytes handed to the target for it. */
  sent: number;
  /** Its content went to the target with it, now or in an earlier attempt. */
  carried: boolean;
};

/**
 * `stopped`: a conflict under FAST_FAIL was met; nothing is begun any more. `uploading`: big contents (sha256) on their
 * way, or there.
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
  return { ...entry, index, settled: false, parts: [...artifact.parts], length: 0, needs: [], sent: 0, carried: false };
}

/** The artifact with what was learned of its parts. */
export const learned = ({ artifact, parts }: Item) => ({ ...artifact, parts });

/** What of a part its new knowledge stands for. */
export function learn(item: Item, part: Part, known: KnownPart): void {
  item.parts = item.parts.map((each) => (each.path === part.path ? known : each));
  item.needs = item.needs.map((each) => (each.path === part.path ? known : each));
}

export function settle(copy: Pick<Copy, "report">, item: Item, outcome: ArtifactOutcome): void {
  if (item.settled) return;
  item.settled = true;
  copy.report(item.index, outcome);
}

export function settleFailure(copy: Pick<Copy, "report">, item: Item, error: TransferError): void {
  settle(copy, item, failedOutcome(learned(item), error, item.uploads, item.sent));
}

export const labelOf = (item: Item): string => subjectOf(item.artifact);

/** Work whose failure ends those of `items` that have not ended; an abort goes through. */
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
 * Runs `work` on each, some at once, and begins nothing more once the copy was stopped, or its time is over but for the
 * first: however slow an end is, every batch gets on. Returns when none runs any more.
 */
export async function together<T>(
  copy: Pick<Copy, "hooks" | "stopped">,
  list: readonly T[],
  width: number,
  work: (each: T) => Promise<unknown>,
): Promise<void> {
  const limit = pLimit(width);
  const { signal, slice } = copy.hooks;
  const mayBegin = (at: number) => !copy.stopped && !signal.aborted && (at < width || !slice.isOver());
  const ended = await Promise.allSettled(
    list.map((each, at) => limit(async () => (mayBegin(at) ? work(each) : undefined))),
  );
  throwIfStopped(signal);
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

/** In their order, as many together as keep to all of the limits; what is beyond one by itself is alone. */
export function pack<T>(things: readonly T[], weigh: (thing: T) => number[], limits: number[]): T[][] {
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
