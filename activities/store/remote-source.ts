import { Readable } from "node:stream";
import { stopOf, TransferError } from "../../domain/failure.ts";
import type { ContentSource } from "./content-source.ts";

/** Sends one signed request to the control plane; throws a TransferError for an answer that is not a success. */
export type InternalCall = (
  method: "GET" | "POST",
  path: string,
  options: { body?: unknown; headers?: Record<string, string>; signal?: AbortSignal },
) => Promise<{
  statusCode: number;
  headers: Record<string, string | string[] | undefined>;
  body: Readable;
}>;

const BLOBS_PATH = "/internal/v1/blobs";

/** Asks the control plane to look at a content; never rejects. */
export async function suspectContent(call: InternalCall, sha256: string): Promise<void> {
  const asked = call("POST", `${BLOBS_PATH}/${sha256}/suspect`, {});
  await asked.then(({ body }) => body.resume()).catch(() => undefined);
}

/** Reads content through the internal API of the control plane. */
export function createRemoteSource(call: InternalCall): ContentSource {
  return {
    async open(sha256, { start, end } = { start: 0 }, signal) {
      const whole = start === 0 && end === undefined;
      const headers = whole ? {} : { range: `bytes=${start}-${end ?? ""}` };
      const answer = await call("GET", `${BLOBS_PATH}/${sha256}`, {
        headers,
        ...(signal ? { signal } : {}),
      });
      const size = Number(answer.headers["x-content-size"]);
      if ((answer.statusCode === 206) !== whole && Number.isSafeInteger(size))
        return { size, stream: guarded(answer.body, signal) };
      answer.body.destroy();
      throw new TransferError(
        "server",
        `the control plane answered ${answer.statusCode} to a request for the content sha256:${sha256}`,
      );
    },
    async readSmall(digests, signal) {
      const answer = await call("POST", BLOBS_PATH, {
        body: { digests },
        ...(signal ? { signal } : {}),
      });
      const parts: Buffer[] = [];
      for await (const part of guarded(answer.body, signal)) parts.push(part as Buffer);
      return unpack(Buffer.concat(parts));
    },
    suspect: (sha256) => suspectContent(call, sha256),
    close: async () => undefined,
  };
}

/**
 * Passes a body through. If the connection to the control plane is lost in the middle of it, reading throws
 * `unreachable`, which is retryable; if `signal` has fired, the error of the signal.
 */
function guarded(body: Readable, signal: AbortSignal | undefined): Readable {
  const stream = Readable.from(chunksOf(body, signal), {
    objectMode: false,
    highWaterMark: READ_AHEAD,
  });
  return stream.once("close", () => body.destroy());
}

async function* chunksOf(
  body: Readable,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk as Buffer;
  } catch (error) {
    if (signal?.aborted) throw stopOf(signal);
    if (error instanceof TransferError) throw error;
    const message =
      "the connection to the control plane was lost while it sent content: " +
      "if that repeats, check the network between";
    throw new TransferError("unreachable", message, { cause: error });
  }
}

const READ_AHEAD = 256 * 1024;

const HEAD = 36;

/** Packs small contents into one body: for each, 32 bytes of sha256, 4 bytes of length (big-endian), the content. */
export function pack(contents: Map<string, Buffer>): Buffer {
  return Buffer.concat(
    [...contents].flatMap(([sha256, content]) => [
      header(sha256, content.length),
      content,
    ]),
  );
}

function header(sha256: string, length: number): Buffer {
  const head = Buffer.alloc(HEAD);
  head.write(sha256, "hex");
  head.writeUInt32BE(length, 32);
  return head;
}

export function unpack(packed: Buffer): Map<string, Buffer> {
  const contents = new Map<string, Buffer>();
  for (let at = 0; at < packed.length;) {
    const start = at + HEAD;
    const end = start <= packed.length ? start + packed.readUInt32BE(at + 32) : Infinity;
    if (end > packed.length)
      throw new TransferError(
        "server",
        "the answer of the control plane was cut off: if that repeats, check the network between",
      );
    contents.set(packed.toString("hex", at, at + 32), packed.subarray(start, end));
    at = end;
  }
  return contents;
}
