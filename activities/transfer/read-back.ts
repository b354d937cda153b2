import {
  type Artifact,
  DIGEST_ALGORITHMS,
  type Part,
  strongest,
} from "../../domain/artifact.ts";
import { TransferError } from "../../domain/failure.ts";
import type { CopyHooks } from "../../domain/outcome.ts";
import type { Opened, PartsTarget, Source } from "../registries/contract.ts";
import { createHashes, type Read } from "../registries/verified.ts";

/** Returns whether `bytes` more may be read at the target to compare contents. */
export type Allowance = (bytes: number) => Promise<boolean>;

/**
 * If the size of a part is unknown, the control plane is first asked to allow this many bytes. Each later
 * request doubles the sum, but adds at most MOST_BYTES.
 */
const FIRST_BYTES = 64 * 1024;
const MOST_BYTES = 8 * 1024 ** 2;

type AtSource = { artifact: Artifact; source: Pick<Source, "open">; hooks: CopyHooks };
type AtTarget = {
  artifact: Artifact;
  target: Pick<PartsTarget, "open">;
  hooks: CopyHooks;
};

/** Returns the part with a digest. If the source states none, the part is read there to compute one. */
export async function digested(
  { artifact, source, hooks }: AtSource,
  part: Part,
): Promise<Part> {
  if (strongest(part.digests) !== null) return part;
  const { chunks } = await source.open(artifact, part, 0, hooks.signal);
  return { ...part, ...(await readAll(chunks, part, async () => true)) };
}

/**
 * Reads a whole part at the target within the rate of the run. Returns its size, its sha256, and its
 * digests in each algorithm of which `part` has a digest. Throws `unsupported` when the target offers no
 * reading.
 */
export async function readTarget(
  { artifact, target, hooks }: AtTarget,
  part: Part,
): Promise<Read> {
  const { chunks } = await openTarget(target, artifact, part, hooks);
  return readAll(chunks, part, (bytes) => atRate(hooks, bytes));
}

/**
 * Reads a part at the target within the rate of the run, as far as `allow` permits, and returns size and
 * digests of what was read. `allow` is called before the first byte, for `size` bytes if the size is known.
 * `ended` false: `allow` refused before the end of the part.
 */
export async function readWithin(
  at: AtTarget,
  part: Part,
  size: number | null,
  allow: Allowance,
): Promise<Read & { ended: boolean }> {
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

/**
 * Reads a part to its end, until it is longer than its known size, which shows that it is another one, or until `takes`
 * returns false.
 */
async function readAll(
  chunks: AsyncIterable<Uint8Array>,
  known: Pick<Part, "size" | "digests">,
  takes: (bytes: number) => Promise<boolean>,
): Promise<Read> {
  const hashes = createHashes([
    "sha256",
    ...DIGEST_ALGORITHMS.filter((each) => known.digests[each] !== undefined),
  ]);
  let size = 0;
  for await (const chunk of chunks) {
    if (!(await takes(chunk.length))) break;
    hashes.update(chunk);
    size += chunk.length;
    if (size > (known.size ?? Infinity)) break;
  }
  return { size, digests: hashes.digests() };
}

async function atRate({ throttle }: CopyHooks, bytes: number): Promise<true> {
  for (let left = bytes; left > 0;) left -= await throttle(left);
  return true;
}

async function openTarget(
  { open }: Pick<PartsTarget, "open">,
  artifact: Artifact,
  part: Part,
  { signal }: CopyHooks,
): Promise<Opened> {
  if (open) return open(artifact, part, signal);
  throw new TransferError(
    "unsupported",
    `${part.path} cannot be read back from the target, which offers no reading: ` +
      "set setting.verification to DIGEST and setting.compare to SIZE",
  );
}
