import { hash } from "node:crypto";
import { inlineMark, wrong } from "../../activities/store/damage.ts";
import type { Range } from "../../activities/store/content-source.ts";
import { INLINE_LIMIT } from "../../activities/store/layout.ts";
import { type ContentDeps, noteDamage } from "./damage.ts";
import { mustCount } from "./look.ts";

/**
 * Reads a content, or a range of it, as the body of an answer. Throws a ContentDamage if the content is
 * gone or known to be wrong. If a whole content turns out to be wrong while it is sent, its last bytes are
 * kept back and the connection breaks, so that no client takes it for complete. A range of a file cannot
 * be verified.
 */
export async function readContent(
  deps: ContentDeps,
  { sha256, size }: { sha256: string; size: number },
  { start, end = size - 1 }: Range = { start: 0 },
): Promise<Uint8Array<ArrayBuffer> | ReadableStream> {
  mustCount(deps, sha256);
  try {
    const small = size <= INLINE_LIMIT ? await readInline(deps, sha256) : undefined;
    if (small) return new Uint8Array(small.subarray(start, end + 1));
    const opened = await deps.store.openToSend(sha256, { start, end });
    if (opened.size === size) return toWebStream(deps, opened.chunks);
    await opened.chunks.return();
    throw wrong(sha256, opened.mark());
  } catch (error) {
    noteDamage(deps, error);
    throw error;
  }
}

async function readInline(
  { store }: ContentDeps,
  sha256: string,
): Promise<Buffer | undefined> {
  const small = (await store.readSmall([sha256])).get(sha256);
  if (small && hash("sha256", small) !== sha256) throw wrong(sha256, inlineMark(small));
  return small;
}

/**
 * Makes a web stream that is read at the pace of the client: the next chunk is read when the socket has the one before.
 * A client that goes away closes the file. A content that turns out to be wrong is condemned, and the stream breaks.
 */
export function toWebStream(
  deps: ContentDeps,
  chunks: AsyncGenerator<Uint8Array, void>,
): ReadableStream {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { value, done } = await chunks.next();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          noteDamage(deps, error);
          throw error;
        }
      },
      cancel: async () => void (await chunks.return()),
    },
    { highWaterMark: 0 },
  );
}
