import type { Artifact, Part } from "../../domain/artifact.ts";
import type { CopyHooks, UploadState } from "../../domain/outcome.ts";
import { metered } from "../registries/body.ts";
import type { Content, Source } from "../registries/contract.ts";
import { checked, type Read } from "../registries/verified.ts";

/**
 * `read`: size and digests of the parts that were read to their end, by path. `bytesSent`: bytes of all
 * bodies so far. `left`: the uploads that a later attempt can continue.
 */
export type CopiedContent = Content & {
  read: ReadonlyMap<string, Read>;
  bytesSent: () => number;
  left: () => UploadState[];
};

/**
 * Opens the content of one artifact for a target: bytes that are read from the beginning of a part are
 * verified; all bytes are limited to the run's rate and counted.
 */
export function openContent(
  source: Omit<Source, "describe">,
  artifact: Artifact,
  hooks: CopyHooks,
  earlier: readonly UploadState[],
): CopiedContent {
  const read = new Map<string, Read>();
  const uploads = new Map(earlier.map((state) => [state.digest, state]));
  let bytesSent = 0;

  function verifiedBytes(
    part: Part,
    size: number | null,
    offset: number,
    chunks: AsyncIterable<Uint8Array>,
  ): AsyncIterable<Uint8Array> {
    // A part that is read from an offset cannot be verified here; the target verifies it.
    if (offset > 0) return chunks;
    return checked(
      chunks,
      { ...part, size },
      {
        damaged: (found) => source.damaged(part, found),
        onRead: (whole) => void read.set(part.path, whole),
      },
    );
  }

  const onSent = (bytes: number) => {
    bytesSent += bytes;
    hooks.onBytes(bytes);
  };

  return {
    signal: hooks.signal,
    async open(
      part,
      { offset = 0, encode = (bytes: AsyncIterable<Uint8Array>) => bytes } = {},
    ) {
      const opened = await source.open(artifact, part, offset, hooks.signal);
      const size = part.size ?? opened.size;
      return {
        size,
        bytes: metered(
          encode(verifiedBytes(part, size, offset, opened.chunks)),
          hooks.throttle,
          onSent,
        ),
      };
    },
    uploads: earlier,
    keep(state) {
      uploads.set(state.digest, state);
      hooks.onUpload(state);
    },
    read,
    bytesSent: () => bytesSent,
    left: () => [...uploads.values()],
  };
}

/**
 * Returns the part with the size and digests that were found by reading it; unchanged if it was not read to
 * its end.
 */
export function withRead(part: Part, { read }: Pick<CopiedContent, "read">): Part {
  const known = read.get(part.path);
  return known
    ? { ...part, size: known.size, digests: { ...part.digests, ...known.digests } }
    : part;
}
