import pLimit from "p-limit";
import { noParts, type ArtifactOutcome, type ArtifactResult } from "../../domain/outcome.ts";
import { targetImageName, targetTags } from "../../domain/image-objects.ts";
import type { BatchArtifact } from "../../domain/worker-messages.ts";
import { createOciRegistry } from "../registries/oci/registry.ts";
import type { OpenedEndpoint } from "./endpoint.ts";
import type { Sender } from "./line.ts";
import type { Work } from "./work.ts";
import { copyImage } from "./image.ts";
import { createImageMemory } from "./image-memory.ts";

/** After this many artifacts in a row that got no answer, each after a long wait, the rest of the batch is not tried now. */
const MOST_UNREACHABLE = 3;

/** Sends images between two registries; what it learns of the target serves all batches of the run. */
export function createImageSender(sourceEnd: OpenedEndpoint, targetEnd: OpenedEndpoint): Sender {
  const source = createOciRegistry(sourceEnd);
  const target = createOciRegistry({ ...targetEnd, pushes: true });
  const memory = createImageMemory();

  const sendAll = async ({ artifacts, batch, hooks, rules, signal, begin, end, concurrency }: Work) => {
    const limit = pLimit(concurrency);
    const pulse = createPulse();

    const send = async (artifact: BatchArtifact): Promise<ArtifactResult> => {
      begin(artifact);
      const outcome = await copyImage({
        source: { registry: source, name: artifact.name },
        target: { registry: target, name: targetImageName(batch.object, artifact.name) },
        tag: artifact.version,
        targetTags: targetTags(batch.object.packageConstraints, artifact.name),
        rules: rules(artifact),
        hooks: hooks(artifact),
        resume: artifact.uploads,
        seen: memory,
      });
      end(artifact, outcome);
      return outcome.result;
    };
    const sendOrLeave = async (artifact: BatchArtifact) => {
      const silence = await pulse.silence();
      if (signal.aborted) return;
      if (silence === null) return pulse.watch(send(artifact));
      begin(artifact);
      end(artifact, notTried(artifact, silence));
    };
    await Promise.all(artifacts.map((artifact) => limit(() => sendOrLeave(artifact))));
  };
  const close = () => void Promise.all([source.close(), target.close()]);
  return { send: sendAll, close };
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
