import { setMaxListeners } from "node:events";
import type { ArtifactKey } from "../../domain/artifact.ts";
import { type Budgets, BUDGETS } from "../../domain/budgets.ts";
import { TransferError, toTransferError } from "../../domain/failure.ts";
import type { Lane } from "../../domain/lanes.ts";
import { addLeftOut, type LeftOut, NOTHING_LEFT_OUT } from "../../domain/left-out.ts";
import type { ListedArtifact, ListingAnswer } from "../../domain/worker-messages.ts";
import type { Closing, Lister } from "../registries/contract.ts";
import { nextCursor, readCursor } from "../registries/progress.ts";
import { createPace, type Pace } from "../registries/pace.ts";
import { openEndpoint } from "./endpoint.ts";
import { connectorOf } from "./routes.ts";
import { openSlice } from "./slice.ts";
import { type BatchDeps, whenReachable } from "./context.ts";

/**
 * How often (ms) a worker reports to the control plane that a listing is alive, and how long the
 * listing's source takes to answer.
 */
const WAITS_MS = 2_000;
/**
 * The result of a listing. `retryAt`: when to continue a listing that is not complete (epoch ms); null:
 * at once. `reason`: why it waits until then.
 */
export type Listed = {
  complete: boolean;
  retryAt: number | null;
  reason?: string;
  leftOut?: LeftOut;
};

const NAME_THEM =
  "name the packages or paths to replicate (packageConstraints, pathConstraints)";
const OTHERS_FIRST = "other listings hold the slots for repositories that answer slowly";

type Ask = {
  recordId: string;
  object: number;
  lane: Lane;
  signal: AbortSignal;
  heartbeat: () => void;
};
type Listing = Extract<ListingAnswer, { kind: "list" }>;

/**
 * Continues the listing of a linked object and hands in each page to the control plane, for as long as the
 * listing may hold its slot. A listing that has failed for good counts as complete.
 */
export async function listObject(
  deps: BatchDeps,
  { recordId, object: objectIndex, lane, signal: ended, heartbeat }: Ask,
): Promise<Listed> {
  const { controlPlane, network } = deps;
  const calls = { signal: ended, heartbeat };
  const stop = new AbortController();
  const signal = AbortSignal.any([ended, stop.signal]);
  setMaxListeners(0, signal);
  const slice = openSlice(lane, deps.batchSlice, () => stop.abort());
  const pace = createPace();
  const timers = [
    setInterval(heartbeat, 1_000),
    setInterval(
      () =>
        void controlPlane
          .listingWaits(recordId, objectIndex, pace.waitMs())
          .catch(() => undefined),
      WAITS_MS,
    ),
  ];
  let leftOut = NOTHING_LEFT_OUT;
  const told = (listed: Listed): Listed =>
    leftOut.count > 0 ? { ...listed, leftOut } : listed;
  let lister: (Lister & Closing) | undefined;
  try {
    for (let pages = 0; ; pages += 1) {
      const state = await whenReachable(calls, () =>
        controlPlane.listing(recordId, objectIndex, pace.waitMs(), lane),
      );
      if (state.kind === "over") return told({ complete: true, retryAt: null });
      if (state.kind === "later")
        return told({ complete: false, retryAt: state.retryAt, reason: OTHERS_FIRST });
      if (pages > 0 && slice.isOver()) return told({ complete: false, retryAt: null });
      try {
        lister ??= openLister(deps, recordId, state, pace);
        const { artifacts, attached, next } = await listPage(
          lister,
          state,
          network.budgets ?? BUDGETS,
          signal,
        );
        leftOut = addLeftOut(leftOut, attached);
        await whenReachable(calls, () =>
          controlPlane.handInPage(recordId, objectIndex, state.page, artifacts, next),
        );
      } catch (error) {
        ended.throwIfAborted();
        if (stop.signal.aborted) return told({ complete: false, retryAt: null });
        return told(
          await failListing(deps, { recordId, object: objectIndex }, state, error, calls),
        );
      }
    }
  } finally {
    slice.close();
    timers.forEach((timer) => clearInterval(timer));
    await controlPlane.listingEnded(recordId, objectIndex).catch(() => undefined);
    await lister?.close();
  }
}

function openLister(
  deps: BatchDeps,
  recordId: string,
  { source, object }: Listing,
  pace: Pace,
): Lister & Closing {
  const { lister } = connectorOf(source.protocol, source.url);
  if (lister)
    return lister(openEndpoint(deps, recordId, source, "", pace), object.repoType);
  throw new TransferError(
    "unsupported",
    `this release cannot list ${source.url} by protocol ${source.protocol}: ` + NAME_THEM,
  );
}

async function listPage(
  lister: Lister,
  { object, cursor, source }: Listing,
  budgets: Budgets,
  signal: AbortSignal,
): Promise<{
  artifacts: ListedArtifact[];
  attached: ArtifactKey[];
  next: string | null;
}> {
  const wanted = {
    packages: object.packageConstraints ?? [],
    paths: object.pathConstraints ?? [],
  };
  const { progress, page } = readCursor(cursor);
  const listed = await lister.list(wanted, page, signal);
  const { found, missing, attached = [] } = listed;
  const names = [...found, ...missing, ...attached].map(
    ({ name, version }) => `${name} ${version}`,
  );
  const next =
    listed.next === null
      ? null
      : nextCursor(progress, names, listed.next, {
          what: "list of the object",
          host: source.url,
          advice: NAME_THEM,
          most: "maxListed",
          budgets,
        });
  const lacking = missing.map(({ name, version, reason }): ListedArtifact => ({
    name,
    version,
    problem: reason,
  }));
  return { artifacts: [...found, ...lacking], attached, next };
}

type Calls = { signal: AbortSignal; heartbeat: () => void };

async function failListing(
  { controlPlane }: BatchDeps,
  { recordId, object: objectIndex }: Pick<Ask, "recordId" | "object">,
  state: Listing,
  error: unknown,
  calls: Calls,
): Promise<Listed> {
  const { message, retryable, notBefore } = toTransferError(error);
  const reason = `${state.projectId}/${state.object.localRepoName} cannot be listed: ${message}`;
  const failure = { reason, retryable, notBefore: notBefore ?? null };
  const { retryAt } = await whenReachable(calls, () =>
    controlPlane.listingFailed(recordId, objectIndex, failure),
  );
  return retryAt === null
    ? { complete: true, retryAt }
    : { complete: false, retryAt, reason };
}
