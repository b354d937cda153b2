import { createHash, randomBytes } from "node:crypto";
import { INTERNAL_PROTOCOL, type Refusal } from "../../domain/worker-messages.ts";
import { shortened } from "../../domain/shortened.ts";
import { deriveKey, sameSecret, sign } from "./seal.ts";
import type { WorkerIdentity } from "./worker-token.ts";

/** A request is refused if its time differs from the control plane's clock by more than this (ms). */
export const MOST_SKEW_MS = 300_000;

/** Header with the sha256 (hex) of a body, of requests and answers. */
export const DIGEST_HEADER = "x-internal-content-sha256";
/** Header with the length of a body in bytes, of requests and answers. */
export const LENGTH_HEADER = "x-internal-content-length";
/**
 * Header that names a request: an id of the sending process, a dot, and a number that grows with each
 * of its requests.
 */
export const NONCE_HEADER = "x-internal-nonce";
export const TIME_HEADER = "x-internal-time";
/** Header with the id of the worker's identity. */
export const IDENTITY_HEADER = "x-internal-identity";
const PROTOCOL_HEADER = "x-internal-protocol";
const SIGNATURE_HEADER = "x-internal-signature";

/** Headers of a request that its signature covers, besides method and path. */
const OF_REQUEST = [
  PROTOCOL_HEADER,
  IDENTITY_HEADER,
  TIME_HEADER,
  NONCE_HEADER,
  DIGEST_HEADER,
  LENGTH_HEADER,
  "x-internal-worker",
  "range",
];
/** Headers of an answer that its signature covers, besides the status and the request. */
const OF_ANSWER = [DIGEST_HEADER, LENGTH_HEADER, "x-content-size", "x-refused"];

/** Returns the value of a header, "" if there is none. */
type Header = (name: string) => string;
/** A request without its body; `path` includes the query. */
export type RequestHead = { method: string; path: string; header: Header };
/** An answer without its body. */
type AnswerHead = { status: number; header: Header };

export type InternalSigner = ReturnType<typeof createInternalSigner>;
export type Problem = { refusal: Refusal; message: string };

/**
 * Signs and checks the requests of one worker and their answers by HMAC, from their heads alone: a head has
 * the digest and the length of its body, which the reader of the body compares. An answer is signed together
 * with the request that it answers (docs/decisions.md#internal-api).
 */
export function createInternalSigner({ id, secret }: WorkerIdentity) {
  const key = deriveKey(secret, "internal-api");
  const answerKey = deriveKey(secret, "internal-answer");
  const sender = randomBytes(12).toString("hex");
  let requests = 0;
  const signatureOf = (request: RequestHead) => sign(key, linesOf(request));
  const answerSignatureOf = (request: RequestHead, { status, header }: AnswerHead) =>
    sign(
      answerKey,
      [linesOf(request), status, ...OF_ANSWER.map((name) => header(name))].join("\n"),
    );
  return {
    /** Returns the headers of a new request; `more` are further headers of it, in lower case. */
    headers(
      method: string,
      path: string,
      body: string | Buffer,
      more: Readonly<Record<string, string>> = {},
    ): Record<string, string> {
      requests += 1;
      const headers: Record<string, string> = {
        ...more,
        [PROTOCOL_HEADER]: String(INTERNAL_PROTOCOL),
        [IDENTITY_HEADER]: id,
        [TIME_HEADER]: String(Date.now()),
        [NONCE_HEADER]: `${sender}.${requests}`,
        ...digestHeaders(body),
      };
      const header: Header = (name) => headers[name] ?? "";
      return {
        ...headers,
        [SIGNATURE_HEADER]: signatureOf({ method, path, header }),
      };
    },
    /**
     * Returns null when a request is signed by this worker and was sent about now; otherwise why it is
     * refused. Call `protocolProblem` first.
     */
    problem(request: RequestHead): Problem | null {
      const { header } = request;
      if (!sameSecret(header(SIGNATURE_HEADER), signatureOf(request)))
        return UNKNOWN_WORKER;
      const skew = Math.abs(Date.now() - Number(header(TIME_HEADER)));
      if (skew <= MOST_SKEW_MS) return null;
      const message =
        `the clocks of worker and control plane differ by ${Math.round(skew / 1000)} s, ` +
        `at most ${MOST_SKEW_MS / 1000} s are allowed: set the clock`;
      return { refusal: "clock", message };
    },
    /** Returns the signature header of the answer to a request. */
    answerHeaders: (
      request: RequestHead,
      answer: AnswerHead,
    ): Record<string, string> => ({
      [SIGNATURE_HEADER]: answerSignatureOf(request, answer),
    }),
    /** Whether an answer is signed for this worker, and is the answer to this request. */
    isAnswer: (request: RequestHead, answer: AnswerHead): boolean =>
      sameSecret(answer.header(SIGNATURE_HEADER), answerSignatureOf(request, answer)),
  };
}

/** Returns the headers that state the digest and the length of a body. */
export function digestHeaders(body: string | Buffer): Record<string, string> {
  return {
    [DIGEST_HEADER]: createHash("sha256").update(body).digest("hex"),
    [LENGTH_HEADER]: String(Buffer.byteLength(body)),
  };
}

const linesOf = ({ method, path, header }: RequestHead): string =>
  [method, path, ...OF_REQUEST.map((name) => header(name))].join("\n");

/** The refusal of a request that no worker of this instance has signed. */
export const UNKNOWN_WORKER: Problem = {
  refusal: "key",
  message:
    "no worker of this instance has signed this: give this worker a WORKER_TOKEN, as worker/create answers it; " +
    "a token ends when its worker is deleted, and the instance's secret key is no token",
};

/**
 * Returns why a request of another version of the internal protocol is refused, null for ours. Other versions sign in
 * other ways, so this is judged first.
 */
export function protocolProblem({ header }: RequestHead): Problem | null {
  const protocol = header(PROTOCOL_HEADER);
  if (protocol === String(INTERNAL_PROTOCOL)) return null;
  const old = Number(protocol || 1) < FIRST_WITH_TOKENS ? WITH_TOKEN : "";
  const message =
    `this worker speaks version ${shortened(protocol || "1", LONGEST_PROTOCOL)} of the internal protocol, ` +
    `the control plane version ${INTERNAL_PROTOCOL}: start both with the same release${old}`;
  return { refusal: "protocol", message };
}

const LONGEST_PROTOCOL = 10;
/** Before this version, workers signed with the instance's secret key. */
const FIRST_WITH_TOKENS = 6;
const WITH_TOKEN = ", and the worker with a WORKER_TOKEN instead of the secret key";
