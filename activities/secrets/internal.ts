import { createHash } from "node:crypto";
import { INTERNAL_PROTOCOL, type Refusal } from "../../domain/worker-messages.ts";
import { deriveKey, sameSecret, sign } from "./seal.ts";

/** A request is refused if its time differs from the control plane's clock by more than this many seconds. */
const MOST_SKEW_SECONDS = 300;

export type InternalSigner = ReturnType<typeof createInternalSigner>;
type InternalRequest = {
  method: string;
  path: string;
  body: Buffer;
  header: (name: string) => string;
};
export type Problem = { refusal: Refusal; message: string };

/**
 * Signs and checks internal requests. The signature is an HMAC over method, path with query, seconds
 * since 1970 and sha256 of the body.
 */
export function createInternalSigner(secretKey: string) {
  const key = deriveKey(secretKey, "internal-api");
  const signature = (
    method: string,
    path: string,
    seconds: string,
    body: string | Buffer,
  ) =>
    sign(
      key,
      [method, path, seconds, createHash("sha256").update(body).digest("hex")].join("\n"),
    );
  return {
    headers(method: string, path: string, body: string | Buffer) {
      const seconds = String(Math.floor(Date.now() / 1000));
      return {
        "x-internal-time": seconds,
        "x-internal-signature": signature(method, path, seconds, body),
        "x-internal-protocol": String(INTERNAL_PROTOCOL),
      };
    },
    /**
     * Returns null when the request is signed with our key, was sent about now and has our version of the
     * internal protocol; otherwise why it is refused.
     */
    problem({ method, path, body, header }: InternalRequest): Problem | null {
      const seconds = header("x-internal-time");
      if (
        !sameSecret(
          header("x-internal-signature"),
          signature(method, path, seconds, body),
        )
      ) {
        const message =
          "the signature is wrong: start this worker with the instance's secret key";
        return { refusal: "key", message };
      }
      const skew = Math.abs(Date.now() / 1000 - Number(seconds));
      if (!(skew <= MOST_SKEW_SECONDS)) {
        const message =
          `the clocks of worker and control plane differ by ${Math.round(skew)} s, ` +
          `at most ${MOST_SKEW_SECONDS} s are allowed: set the clock`;
        return { refusal: "clock", message };
      }
      const protocol = header("x-internal-protocol");
      if (protocol === String(INTERNAL_PROTOCOL)) return null;
      const message =
        `this worker speaks version ${protocol || "1"} of the internal protocol, ` +
        `the control plane version ${INTERNAL_PROTOCOL}: start both with the same release`;
      return { refusal: "protocol", message };
    },
  };
}
