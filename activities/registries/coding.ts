import { finished, Readable, type Duplex } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { TransferError } from "../../domain/failure.ts";

const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** The codings of a Content-Encoding that change the bytes, in the order in which they were applied; null = none. */
export function codingOf(header: string): string | null {
  const codings = header.split(",").map((coding) => coding.trim().toLowerCase());
  return codings.filter((coding) => coding !== "" && coding !== "identity").join(", ") || null;
}

/**
 * The bytes before they were coded, a piece at a time. `what` names the body in errors: a coding that is not known is
 * refused by its name, as `shown` lets foreign text be seen.
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
      `${what} is coded as "${shown(unknown).slice(0, 50)}" (Content-Encoding), which nobody asked for and only ${known} can be read: switch that off at the server`,
    );
  }
  const source = Readable.from(body, { objectMode: false });
  const stages: Readable[] = [source];
  for (const name of names) stages.push(join(stages.at(-1) ?? source, DECODERS[name]?.()));
  try {
    for await (const chunk of stages.at(-1) ?? source) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof TransferError) throw error;
    throw new TransferError(
      "server",
      `${what} says that it is coded as "${coding}" (Content-Encoding), and cannot be read as that`,
      { cause: error },
    );
  } finally {
    for (const stage of stages) stage.destroy();
  }
}

/** Feeds one stage from another; an error of the first is one of the second. */
function join(from: Readable, to: Duplex | undefined): Readable {
  if (to === undefined) return from;
  finished(from, (error) => error && to.destroy(error));
  return from.pipe(to);
}
