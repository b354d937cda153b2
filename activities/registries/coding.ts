import { finished, Readable, type Duplex } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { TransferError } from "../../domain/failure.ts";

const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Returns the codings of a Content-Encoding header that change the bytes, in the order in which they
 * were applied; null when there are none.
 */
export function codingOf(header: string): string | null {
  const codings = header.split(",").map((coding) => coding.trim().toLowerCase());
  return (
    codings.filter((coding) => coding !== "" && coding !== "identity").join(", ") || null
  );
}

/**
 * Decodes a body piece by piece. `what` names the body in errors. Throws `unsupported` for an unknown coding,
 * `server` for a body that cannot be decoded; `shown` makes text of the server safe for a message.
 */
export async function* decoded(
  body: AsyncIterable<Buffer>,
  coding: string,
  what: string,
  shown: (text: string) => string,
): AsyncGenerator<Buffer, void, undefined> {
  const names = coding.split(", ").toReversed();
  const unknown = names.find((name) => !Object.hasOwn(DECODERS, name));
  if (unknown !== undefined) {
    const known = Object.keys(DECODERS).join(", ");
    throw new TransferError(
      "unsupported",
      `${what} has the Content-Encoding "${shown(unknown).slice(0, 50)}", which was not requested; ` +
        `only ${known} can be decoded: switch it off at the server`,
    );
  }
  const source = Readable.from(body, { objectMode: false });
  const stages: Readable[] = [source];
  for (const name of names)
    stages.push(join(stages.at(-1) ?? source, DECODERS[name]?.()));
  try {
    for await (const chunk of stages.at(-1) ?? source) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof TransferError) throw error;
    throw new TransferError(
      "server",
      `${what} has the Content-Encoding "${coding}" but cannot be decoded as such`,
      {
        cause: error,
      },
    );
  } finally {
    for (const stage of stages) stage.destroy();
  }
}

/** Feeds one decoding stage from another; an error of `from` becomes an error of `to`. */
function join(from: Readable, to: Duplex | undefined): Readable {
  if (to === undefined) return from;
  finished(from, (error) => error && to.destroy(error));
  return from.pipe(to);
}
