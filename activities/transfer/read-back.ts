import { createHash } from "node:crypto";
import type { Artifact, Part } from "../../domain/artifact.ts";
import { TransferError } from "../../domain/failure.ts";
import type { Opened, PartsTarget, Source } from "../registries/contract.ts";
import type { Read } from "../registries/verified.ts";
import type { CopyHooks } from "../../domain/outcome.ts";

type Ends = { artifact: Artifact; source: Pick<Source, "open">; target: Pick<PartsTarget, "open">; hooks: CopyHooks };

/** Reads all of a part at one end, within the rate of the run, and tells its size and sha256. */
export async function readBack({ artifact, source, target, hooks }: Ends, end: "source" | "target", part: Part): Promise<Read> {
  const { chunks } = await (end === "source" ? source.open(artifact, part, 0, hooks.signal) : openTarget(target, artifact, part, hooks));
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of chunks) {
    if (end === "target") for (let left = chunk.length; left > 0; ) left -= await hooks.throttle(left);
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, digests: { sha256: hash.digest("hex") } };
}

async function openTarget({ open }: Pick<PartsTarget, "open">, artifact: Artifact, part: Part, { signal }: CopyHooks): Promise<Opened> {
  if (open) return open(artifact, part, signal);
  throw new TransferError("unsupported", `${part.path} cannot be read back there`);
}
