import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import type { Context } from "hono";
import type { Text } from "../../domain/text.ts";
import { tooLong } from "./details.ts";
import { failWith } from "./errors.ts";
import type { Env } from "../deps.ts";

/**
 * Returns the body of a request as it comes from the socket; without a socket (in tests) from the
 * Request.
 */
export function bodyOf(c: Context<Env>): Readable {
  const { incoming } = c.env ?? {};
  if (incoming instanceof Readable) return incoming;
  const { body } = c.req.raw;
  return body ? Readable.fromWeb(body as ReadableStream) : Readable.from([]);
}

/** Returns the announced length of a body in bytes; undefined for a chunked body. */
export function lengthOf(c: Context<Env>): number | undefined {
  const length = c.req.header("content-length");
  return length === undefined ? undefined : Number(length);
}

/**
 * Reads the whole body of a request; throws 413 (`why`) if it is longer than `limit` bytes, 503 if there is no room for
 * it.
 */
export async function wholeBody(
  c: Context<Env>,
  limit: number,
  why: Text = tooLong(limit),
): Promise<Buffer> {
  const refuse = () => failWith(413, 250106, why);
  if (Number(c.req.header("content-length") ?? 0) > limit) refuse();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of bodyOf(c).iterator({
    destroyOnReturn: false,
  }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) refuse();
    c.get("hold")(chunk.length);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

/** Gives a request the body that was read from it, so that its route can read it once more. */
export function withBody(c: Context<Env>, body: Buffer): void {
  c.req.raw = new Request(c.req.raw, {
    method: c.req.method,
    body: new Uint8Array(body),
  });
}
