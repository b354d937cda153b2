import { createHash, type Hash } from "node:crypto";
import { type Artifact, DIGEST_ALGORITHMS, type DigestAlgorithm, type Digests, type Part } from "../../domain/artifact.ts";
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

/** The part with a digest: its own, or else that of its bytes at the source. */
export async function digested({ artifact, source, hooks }: AtSource, part: Part): Promise<Part> {
  if (DIGEST_ALGORITHMS.some((each) => part.digests[each] !== undefined)) return part;
  const { chunks } = await source.open(artifact, part, 0, hooks.signal);
  return { ...part, ...(await readAll(chunks, part, async () => true)) };
}

/** Reads all of a part at the target, within the rate of the run, and tells its size, its sha256 and the digests that are known of it. */
export async function readTarget({ artifact, target, hooks }: AtTarget, part: Part): Promise<Read> {
  const { chunks } = await openTarget(target, artifact, part, hooks);
  return readAll(chunks, part, (bytes) => atRate(hooks, bytes));
}

/** The same for as long as the bytes are allowed, `size` of them beforehand where it is known; where they are not, `ended` is false. */
export async function readWithin(at: AtTarget, part: Part, size: number | null, allow: Allowance): Promise<Read & { ended: boolean }> {
  let allowed = size ?? FIRST_BYTES;
  if (!(await allow(allowed))) return { size: 0, digests: {}, ended: false };
  let [seen, ended] = [0, true];
  const { chunks } = await openTarget(at.target, at.artifact, part, at.hooks);
  const read = await readAll(chunks, part, async (bytes) => {
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
async function readAll(chunks: AsyncIterable<Uint8Array>, known: { digests: Digests }, takes: (bytes: number) => Promise<boolean>): Promise<Read> {
  const wanted = DIGEST_ALGORITHMS.filter((each) => each === "sha256" || known.digests[each] !== undefined);
  const hashes = wanted.map((each): [DigestAlgorithm, Hash] => [each, createHash(each)]);
  let size = 0;
  for await (const chunk of chunks) {
    if (!(await takes(chunk.length))) break;
    for (const [, hash] of hashes) hash.update(chunk);
    size += chunk.length;
  }
  return { size, digests: Object.fromEntries(hashes.map(([each, hash]) => [each, hash.digest("hex")])) };
}

async function atRate({ throttle }: CopyHooks, bytes: number): Promise<true> {
  for (let left = bytes; left > 0; ) left -= await throttle(left);
  return true;
}

async function openTarget({ open }: Pick<PartsTarget, "open">, artifact: Artifact, part: Part, { signal }: CopyHooks): Promise<Opened> {
  if (open) return open(artifact, part, signal);
  throw new TransferError("unsupported", `${part.path} cannot be read back there`);
}
