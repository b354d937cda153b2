import type { IncomingMessage } from "node:http";
import { tooLong } from "./details.ts";
import { ApiError } from "./errors.ts";

/**
 * Reads the body of a GET, which the Fetch API's `Request` hides; rejects with a 413 if it is
 * longer than `limit` bytes, and with what `hold` throws.
 */
export function readRawBody(
  incoming: IncomingMessage,
  limit: number,
  hold: (bytes: number) => void,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    incoming.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) return;
      try {
        hold(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        reject(error);
      }
    });
    incoming.on("end", () => {
      if (size <= limit) resolve(Buffer.concat(chunks).toString("utf8"));
      else reject(new ApiError([250106, tooLong(limit)], { status: 413 }));
    });
    incoming.on("error", reject);
  });
}
