import { createHash } from "node:crypto";
import { deriveKey, sameSecret, sign } from "./seal.ts";

/** A signature older or newer than this is refused. */
const MOST_SKEW_SECONDS = 300;

export type InternalSigner = ReturnType<typeof createInternalSigner>;

/** Signs and checks internal requests (design.md §4): HMAC over method, path with query, seconds since 1970 and sha256 of the body. */
export function createInternalSigner(secretKey: string) {
  const key = deriveKey(secretKey, "internal-api");
  const signature = (method: string, path: string, seconds: string, body: string | Buffer) =>
    sign(key, [method, path, seconds, createHash("sha256").update(body).digest("hex")].join("\n"));
  return {
    headers(method: string, path: string, body: string | Buffer) {
      const seconds = String(Math.floor(Date.now() / 1000));
      return { "x-internal-time": seconds, "x-internal-signature": signature(method, path, seconds, body) };
    },
    /** Null when the request is genuine, else why not. */
    problem(method: string, path: string, body: Buffer, seconds: string, given: string): string | null {
      if (!sameSecret(given, signature(method, path, seconds, body))) {
        return "the signature is wrong: does this worker have the instance's secret key?";
      }
      const skew = Math.abs(Date.now() / 1000 - Number(seconds));
      return skew <= MOST_SKEW_SECONDS ? null : "the signature is too old: do the clocks of worker and control plane agree?";
    },
  };
}
