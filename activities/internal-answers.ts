import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { TransferError } from "../domain/failure.ts";

/**
 * HTTP statuses with which the control plane refuses a worker: its key or its clock is wrong (401), or it
 * speaks another internal protocol (426).
 */
const REFUSED = [401, 426];
/** How much of an answer's text a message quotes (characters). */
const QUOTED = 300;

/** Code of a failure: an answer is not signed as the control plane signs. */
export const UNSIGNED = "UNSIGNED";
/** Code of a failure: the answer of a control plane that has another key. */
export const OTHER_KEY = "OTHER_KEY";

type Refusable = { apiUrl: string; onRefused?: (reason: string) => void };

/**
 * Builds the error for a signed answer with a status other than 2xx. If the control plane refuses this worker
 * (401, 426), calls `onRefused` too.
 */
export async function failureOf(
  { statusCode: status, body, headers }: Dispatcher.ResponseData,
  request: string,
  { apiUrl, onRefused = () => undefined }: Refusable,
): Promise<TransferError> {
  const said = await beginning(body);
  if (REFUSED.includes(status)) {
    onRefused(said);
    const message = `the control plane at ${apiUrl} refuses this worker (${status}): ${said}`;
    return new TransferError("refused", message);
  }
  const message = `the control plane answered ${status} to ${request}: ${said}`;
  if (headers["x-refused"] === "repeated")
    return new TransferError("unreachable", message);
  const kind = status >= 500 ? "server" : status === 404 ? "notFound" : "invalid";
  return new TransferError(kind, message);
}

/**
 * Builds the error for an answer that is not signed with this worker's key. Such an answer says nothing about the
 * request: somebody between may have written it. `unreachable`, unless it refuses the worker and `isBelieved`, which
 * is called for refusals only.
 */
export async function unsignedFailure(
  { statusCode: status, body, headers }: Dispatcher.ResponseData,
  apiUrl: string,
  isBelieved: () => boolean,
): Promise<TransferError> {
  const said = await beginning(body);
  if (REFUSED.includes(status) && headers["x-refused"] !== undefined) {
    const message =
      `the control plane at ${apiUrl} refuses this worker, and does not sign with its key (${status}: ${said}): ` +
      "start this worker with a WORKER_TOKEN of the instance (worker/create) and the same release, and check what " +
      "lies between";
    const codes = [UNSIGNED, ...(headers["x-refused"] === "key" ? [OTHER_KEY] : [])];
    return new TransferError(isBelieved() ? "refused" : "unreachable", message, {
      codes,
    });
  }
  const message =
    `what answers at ${apiUrl} (status ${status}) does not sign as the control plane does: write the address of ` +
    "the service in API_URL, with the path that a proxy before it needs, and check that the service runs";
  return new TransferError("unreachable", message, { codes: [UNSIGNED] });
}

/** Reads the beginning of a text, and drops the rest. */
async function beginning(body: Readable): Promise<string> {
  let said = "";
  for await (const chunk of body.setEncoding("utf8")) {
    said += String(chunk);
    if (said.length >= QUOTED) break;
  }
  return said.slice(0, QUOTED);
}

/**
 * Passes a body through and compares it with its sha256 (hex). The last read throws `unreachable`, which is
 * retryable, when the body is another one or is cut off.
 */
export function ofDigest(body: Readable, sha256: string): Readable {
  async function* verified() {
    const hash = createHash("sha256");
    for await (const chunk of body) {
      hash.update(chunk as Buffer);
      yield chunk as Buffer;
    }
    if (hash.digest("hex") === sha256) return;
    const message =
      "the answer of the control plane was changed or cut off on the way: if that repeats, check the network between";
    throw new TransferError("unreachable", message);
  }
  const stream = Readable.from(verified(), { objectMode: false });
  stream.on("error", () => undefined);
  return stream.once("close", () => body.destroy());
}
