import pLimit from "p-limit";
import { noParts, type ArtifactOutcome, type ArtifactResult } from "../../domain/outcome.ts";
import { toTransferError } from "../../domain/failure.ts";
import { targetTags } from "../../domain/image-objects.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import type { ImageSource, ImageTarget } from "./image-ends.ts";
import type { Sender } from "./line.ts";
import { failed, type Work } from "./work.ts";
import { copyImage } from "./image.ts";
import { earlyOutcome } from "./trouble.ts";
import { createImageMemory } from "./image-memory.ts";

/** After this many artifacts in a row that got no answer, each after a long wait, the rest of the batch is not tried now. */
const MOST_UNREACHABLE = 3;

/** Sends images between two registries; what it learns of the target serves all batches of the run. */
export function createImageSender(source: ImageSource, target: ImageTarget): Sender {
  const memory = createImageMemory();

  const sendAll = async (work: Work) => {
    const { batch, hooks, rules, signal, slice, begin, end, concurrency } = work;
    const artifacts = source.hosted ? failGone(work) : work.artifacts;
    const trouble = artifacts.length === 0 ? null : await target.prepare(batch, signal).then(() => null, toTransferError);
    signal.throwIfAborted();
    if (trouble) return artifacts.forEach((artifact) => end(artifact, earlyOutcome(artifact, `${artifact.name}:${artifact.version}`, trouble)));
    if (source.hosted) memory.forgetTags();
    const limit = pLimit(concurrency);
    const pulse = createPulse();

    const send = async (artifact: BatchArtifact): Promise<ArtifactResult> => {
      begin(artifact);
      const copied = await copyImage({
        source: { registry: source.registry, name: artifact.name },
        target: { registry: target.registry, name: target.nameOf(batch, artifact.name) },
        tag: artifact.version,
        sourceDigest: artifact.digest,
        targetTags: targetTags(batch.object.packageConstraints, artifact.name),
        rules: rules(artifact),
        hooks: hooks(artifact),
        resume: artifact.uploads,
        seen: memory,
      });
      // Where the plan knew the size, the totals count with that.
      end(artifact, { ...copied, size: artifact.plannedSize ?? copied.size });
      return copied.result;
    };
    const sendOrLeave = async (artifact: BatchArtifact, at: number) => {
      const silence = await pulse.silence();
      if (signal.aborted) return;
      if (silence === null) {
        // The first goes however little time is left, so that every batch gets on.
        return at > 0 && slice.isOver() ? undefined : pulse.watch(send(artifact));
      }
      begin(artifact);
      end(artifact, notTried(artifact, silence));
    };
    await Promise.all(artifacts.map((artifact, at) => limit(() => sendOrLeave(artifact, at))));
  };
  const close = () => {
    void source.registry.close();
    target.close();
  };
  return { send: sendAll, close };
}

/** Tags that were deleted since the plan fail at once; answers the others. */
function failGone({ artifacts, batch, end }: Work): BatchArtifact[] {
  const place = `${batch.projectId}/${batch.object.localRepoName}`;
  return artifacts.filter((artifact) => {
    if (artifact.digest !== null) return true;
    end(artifact, failed(`image ${artifact.name}:${artifact.version} is no longer in ${place}: it was deleted after the run was planned`));
    return false;
  });
}

/** Notices that an end does not answer any more. */
function createPulse() {
  const inFlight = new Set<Promise<void>>();
  const state: { unanswered: number; reason: string } = { unanswered: 0, reason: "" };

  const take = (result: ArtifactResult) => {
    const unanswered = result.kind === "again" && result.unreachable === true;
    state.unanswered = unanswered ? state.unanswered + 1 : 0;
    if (unanswered) state.reason = result.reason;
  };
  return {
    /** Why nothing more should be begun; null when it may. Where one got no answer, those in flight tell. */
    async silence(): Promise<string | null> {
      while (state.unanswered > 0 && state.unanswered < MOST_UNREACHABLE && inFlight.size > 0) await Promise.race(inFlight);
      return state.unanswered < MOST_UNREACHABLE ? null : state.reason;
    },
    async watch(sending: Promise<ArtifactResult>): Promise<void> {
      const watched: Promise<void> = sending.then(take).finally(() => inFlight.delete(watched));
      inFlight.add(watched);
      await watched;
    },
  };
}

/** The artifact waits for its turn, and keeps what an earlier one left. */
function notTried({ uploads }: BatchArtifact, silence: string): ArtifactOutcome {
  const reason = `not tried now, since others got no answer: ${silence}`;
  return { result: { kind: "again", reason, notBefore: null, uploads, throttled: false, untried: true }, digest: null, size: null, parts: noParts(), bytesSent: 0 };
}
