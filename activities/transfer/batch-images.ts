import pLimit from "p-limit";
import { noParts, type ArtifactOutcome } from "../../domain/outcome.ts";
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
    let unreachable = 0;
    let lastReason: string | null = null;

    const send = async (artifact: BatchArtifact) => {
      if (signal.aborted) return;
      begin(artifact);
      if (unreachable >= MOST_UNREACHABLE && lastReason !== null) return end(artifact, notTried(artifact, lastReason));
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
      const { result } = outcome;
      unreachable = result.kind === "again" && result.unreachable === true ? unreachable + 1 : 0;
      lastReason = result.kind === "again" ? result.reason : null;
      end(artifact, outcome);
    };
    await Promise.all(artifacts.map((artifact) => limit(() => send(artifact))));
  };
  const close = () => void Promise.all([source.close(), target.close()]);
  return { send: sendAll, close };
}

/** The artifact waits for its turn, and keeps what an earlier one left. */
function notTried({ uploads }: BatchArtifact, reason: string): ArtifactOutcome {
  return { result: { kind: "again", reason, notBefore: null, uploads, throttled: false, untried: true }, digest: null, size: null, parts: noParts(), bytesSent: 0 };
}
