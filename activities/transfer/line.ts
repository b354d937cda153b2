import { isImageType } from "../../domain/capabilities.ts";
import { toTransferError } from "../../domain/failure.ts";
import { createFileSender } from "./batch-files.ts";
import { createImageSender } from "./batch-images.ts";
import { createVersionSender, isStatedType } from "./batch-versions.ts";
import { createPace, type Pace } from "../registries/pace.ts";
import type { Waits } from "../../domain/worker-messages.ts";
import { openEndpoint } from "./endpoint.ts";
import { openImageSource, openImageTarget } from "./image-ends.ts";
import { createThrottle, type Throttle } from "./throttle.ts";
import { type Batch, type BatchDeps, failed, type Work } from "./work.ts";

/** Sends one kind of artifact between two ends, whose connections it keeps. */
export type Sender = { send: (work: Work) => Promise<void>; close: () => void };
/** Both ends of a batch as this worker reaches them; kept for the batches of the same run that follow. */
export type Line = Sender & { throttle: Throttle; waits: () => Waits };

export function openLine(deps: BatchDeps, recordId: string, batch: Batch): Line {
  const throttle = createThrottle(batch.setting.rateLimit, (bytes) => deps.controlPlane.lease(recordId, batch.clusterId, bytes));
  const paces = { source: createPace(), target: createPace() };
  return { throttle, waits: () => ({ source: paces.source.waitMs(), target: paces.target.waitMs() }), ...openSender(deps, batch, paces) };
}

export type Paces = Record<"source" | "target", Pace>;

/** An end that cannot even be opened is the outcome of each artifact. */
function openSender(deps: BatchDeps, batch: Batch, paces: Paces): Sender {
  try {
    if (isImageType(batch.object.repoType)) return createImageSender(openImageSource(deps, batch, paces.source), openImageTarget(deps, batch.target, paces.target));
    const { repoType } = batch.object;
    const target = openEndpoint(deps, batch.target, paces.target);
    return isStatedType(repoType) ? createVersionSender(deps, target, repoType) : createFileSender(deps.content, target);
  } catch (error) {
    const { message } = toTransferError(error);
    return { send: async ({ artifacts, end }) => artifacts.forEach((artifact) => end(artifact, failed(message))), close: () => {} };
  }
}
