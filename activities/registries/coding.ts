import { finished, Readable, type Duplex } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { TransferError } from "../../domain/failure.ts";

const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};
/** How many codings may lie upon each other: each takes memory, and makes of each byte up to a thousand. */
const MOST_CODINGS = 2;
/** By how many bytes a coded body may be longer than what it stands for, and by which part of that. */
const MOST_EMPTY_BYTES = 1024 ** 2;
const MOST_EMPTY_PART = 0.01;

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

type Decoder = (body: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, undefined>;

/**
 * Returns what decodes a body piece by piece: it throws `server` for a body that cannot be decoded, `invalid` for one
 * that goes on without meaning anything. Throws `unsupported` for an unknown coding and for too many, before there is
 * a generator: one that never begins would leave its body open. `what` names the body in errors; `shown` makes text
 * of the server safe for a message.
 */
export function decoderOf(
  coding: string,
  what: string,
  shown: (text: string) => string,
): Decoder {
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
  if (names.length > MOST_CODINGS)
    throw new TransferError(
      "unsupported",
      `${what} has ${names.length} Content-Encodings one upon the other, at most ${MOST_CODINGS} are decoded: ` +
        "switch them off at the server",
    );
  return (body) => decoded(body, names, what);
}

async function* decoded(
  body: AsyncIterable<Buffer>,
  names: readonly string[],
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const length = { coded: 0, plain: 0 };
  const counted = counting(body, length, what);
  const source = Readable.from(counted, { objectMode: false });
  const stages: Readable[] = [source];
  for (const name of names)
    stages.push(join(stages.at(-1) ?? source, DECODERS[name]?.()));
  try {
    for await (const chunk of (stages.at(-1) ?? source) as AsyncIterable<Buffer>) {
      length.plain += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (error instanceof TransferError) throw error;
    throw new TransferError(
      "server",
      `${what} has the Content-Encoding "${names.toReversed().join(", ")}" but cannot be decoded as such`,
      {
        cause: error,
      },
    );
  } finally {
    for (const stage of stages) stage.destroy();
  }
}

/** Passes a coded body on while it is about as long as what it stands for: empty blocks could go on for ever. */
async function* counting(
  body: AsyncIterable<Buffer>,
  length: { coded: number; plain: number },
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of body) {
    length.coded += chunk.length;
    const excess = length.coded - length.plain * (1 + MOST_EMPTY_PART);
    if (excess > MOST_EMPTY_BYTES)
      throw new TransferError(
        "invalid",
        `${what} is by more than ${MOST_EMPTY_BYTES} bytes longer than what its Content-Encoding stands for: ` +
          "check the server",
      );
    yield chunk;
  }
}

/** Feeds one decoding stage from another; an error of `from` becomes an error of `to`. */
function join(from: Readable, to: Duplex | undefined): Readable {
  if (to === undefined) return from;
  finished(from, (error) => error && to.destroy(error));
  return from.pipe(to);
}
