import { createHash } from "node:crypto";
import { expect } from "vitest";
import type {
  Closing,
  End,
  ListedPage,
  Lister,
  Selection,
  Source,
} from "../../../activities/registries/contract.ts";
import { DIGEST_ALGORITHMS, type Artifact, type Part } from "../../../domain/artifact.ts";
import { TransferError } from "../../../domain/failure.ts";
import { readWhole } from "../../rigs/servers/faulty-bodies.ts";
import type { Rig, Sample } from "./rig.ts";

export const never = (): AbortSignal => new AbortController().signal;
const MOST_PAGES = 2_000;
const MOST_OF_A_PAGE = 500;

/** Runs `work` with an opened end, and closes the end afterwards. */
export async function using<T extends Closing, R>(
  end: T | undefined,
  work: (end: T) => Promise<R>,
): Promise<R> {
  if (end === undefined) throw new Error("the connector lacks what this case needs");
  try {
    return await work(end);
  } finally {
    await end.close();
  }
}

type Listing = Pick<ListedPage, "found" | "missing">;

/** Reads all pages of a listing; fails when they do not end. */
export async function listAll(
  lister: Lister,
  wanted: Selection,
  signal = never(),
): Promise<Listing> {
  const all: Listing = { found: [], missing: [] };
  let cursor: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { found, missing, next } = await lister.list(wanted, cursor, signal);
    expect(found.length, "artifacts of a page").toBeLessThanOrEqual(MOST_OF_A_PAGE);
    all.found.push(...found);
    all.missing.push(...missing);
    if (next === null) return all;
    cursor = next;
  }
  throw new Error(`the listing has not ended after ${MOST_PAGES} pages`);
}

export const list = (
  rig: Rig,
  wanted: Selection,
  changes: Partial<End> = {},
  signal = never(),
): Promise<Listing> =>
  using(rig.connector.lister?.(rig.from.end(changes), rig.type), (lister) =>
    listAll(lister, wanted, signal),
  );

/** Describes one artifact; throws the error that the source returns for it. */
export async function describeOne(
  source: Source,
  { artifact: { name, version } }: Sample,
  signal = never(),
): Promise<Artifact | null> {
  const [described] = await source.describe([{ name, version }], signal);
  if (described instanceof TransferError) throw described;
  expect(described, "the answer to the first key").not.toBeUndefined();
  return described ?? null;
}

/** Describes all samples; asks again for the keys that an answer left out. */
export async function describeAll(
  source: Source,
  samples: readonly Sample[],
): Promise<(Artifact | TransferError | null)[]> {
  const keys = samples.map(({ artifact: { name, version } }) => ({ name, version }));
  const all: (Artifact | TransferError | null)[] = [];
  while (all.length < keys.length) {
    const some = await source.describe(keys.slice(all.length), never());
    expect(some.length, "artifacts of an answer").toBeGreaterThan(0);
    all.push(...some);
  }
  return all;
}

/** Reads all bytes of a part; throws when they differ from the source's description. */
export async function readPart(
  source: Pick<Source, "open">,
  artifact: Artifact,
  part: Part,
  signal = never(),
): Promise<Buffer> {
  const { size, chunks } = await source.open(artifact, part, 0, signal);
  const bytes = await readWhole(chunks);
  const wrong = [part.size, size].find((each) => each !== null && each !== bytes.length);
  if (wrong !== undefined) throw new Refused(`${bytes.length} bytes instead of ${wrong}`);
  for (const algorithm of DIGEST_ALGORITHMS) {
    const digest = createHash(algorithm).update(bytes).digest("hex");
    if ((part.digests[algorithm] ?? digest) !== digest)
      throw new Refused(
        `${algorithm} is ${digest} instead of ${part.digests[algorithm]}`,
      );
  }
  return bytes;
}

/** A mismatch that the engine detects by the facts that an end reports. */
class Refused extends Error {}

/** Describes and reads everything of an artifact, as a run does. */
export function readAll(
  rig: Rig,
  sample: Sample,
  changes: Partial<End> = {},
): Promise<ReadonlyMap<string, Buffer> | null> {
  return using(
    rig.connector.source?.(rig.from.end(changes), rig.type),
    async (source) => {
      const artifact = await describeOne(source, sample);
      if (artifact === null) return null;
      const contents = new Map<string, Buffer>();
      for (const part of artifact.parts)
        contents.set(part.path, await readPart(source, artifact, part));
      return contents;
    },
  );
}

/** Returns contents in a form that a failed comparison can print. */
export const shown = (
  contents: ReadonlyMap<string, Uint8Array> | null,
): Record<string, string> | null =>
  contents === null
    ? null
    : Object.fromEntries(
        [...contents].map(([path, bytes]) => [
          path,
          `${bytes.length} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex")}`,
        ]),
      );

/**
 * Returns the result or the failure: a TransferError, or a mismatch that the engine detects. Other errors are thrown.
 */
export const orFailure = <T>(work: Promise<T>): Promise<T | TransferError | Refused> =>
  work.catch((error: unknown) => {
    if (error instanceof TransferError || error instanceof Refused) return error;
    throw error;
  });

/** Prepares the servers of a rig once for all cases that only read. */
export function onceFor<T>(prepare: (rig: Rig) => Promise<T>): (rig: Rig) => Promise<T> {
  const prepared = new WeakMap<Rig, Promise<T>>();
  return (rig) => {
    const work = prepared.get(rig) ?? prepare(rig);
    prepared.set(rig, work);
    return work;
  };
}
