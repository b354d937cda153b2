import { createHash } from "node:crypto";
import type { Artifact, Part } from "../../domain/artifact.ts";
import { TransferError } from "../../domain/failure.ts";
import type { CopyHooks } from "../../domain/outcome.ts";
import type { Opened, PartsTarget, Source } from "../registries/contract.ts";
import type { Read } from "../registries/verified.ts";

/** Whether so many more bytes may be read. */
export type Allowance = (bytes: number) => Promise<boolean>;

/** What is asked for first where nobody tells how long a part is; each time as much again as there was, up to the most. */
const FIRST_BYTES = 64 * 1024;
const MOST_BYTES = 8 * 1024 ** 2;

type AtSource = { artifact: Artifact; source: Pick<Source, "open">; hooks: CopyHooks };
type AtTarget = { artifact: Artifact; target: Pick<PartsTarget, "open">; hooks: CopyHooks };

/** Reads all of a part at the source, and tells its size and sha256. */
export async function readSource({ artifact, source, hooks }: AtSource, part: Part): Promise<Read> {
  const { chunks } = await source.open(artifact, part, 0, hooks.signal);
  return readAll(chunks, async () => true);
}

/** The same at the target, within the rate of the run. */
export async function readTarget({ artifact, target, hooks }: AtTarget, part: Part): Promise<Read> {
  const { chunks } = await openTarget(target, artifact, part, hooks);
  return readAll(chunks, (bytes) => atRate(hooks, bytes));
}

/** The same for as long as the bytes are allowed, `size` of them beforehand where it is known; where they are not, `ended` is false. */
export async function readWithin(at: AtTarget, part: Part, size: number | null, allow: Allowance): Promise<Read & { ended: boolean }> {
  let allowed = size ?? FIRST_BYTES;
  if (!(await allow(allowed))) return { size: 0, digests: {}, ended: false };
  let [seen, ended] = [0, true];
  const { chunks } = await openTarget(at.target, at.artifact, part, at.hooks);
  const read = await readAll(chunks, async (bytes) => {
    seen += bytes;
    while (ended && seen > allowed) {
      const more = Math.min(Math.max(allowed, FIRST_BYTES), MOST_BYTES);
      allowed += more;
      ended = await allow(more);
    }
    return ended && atRate(at.hooks, bytes);
  });
  return { ...read, ended };
}

/** Until the end, or until no more is taken. */
async function readAll(chunks: AsyncIterable<Uint8Array>, takes: (bytes: number) => Promise<boolean>): Promise<Read> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const chunk of chunks) {
    if (!(await takes(chunk.length))) break;
    hash.update(chunk);
    size += chunk.length;
  }
  return { size, digests: { sha256: hash.digest("hex") } };
}

async function atRate({ throttle }: CopyHooks, bytes: number): Promise<true> {
  for (let left = bytes; left > 0; ) left -= await throttle(left);
  return true;
}

async function openTarget({ open }: Pick<PartsTarget, "open">, artifact: Artifact, part: Part, { signal }: CopyHooks): Promise<Opened> {
  if (open) return open(artifact, part, signal);
  throw new TransferError("unsupported", `${part.path} cannot be read back there`);
}
