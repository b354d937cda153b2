import type { Context, MiddlewareHandler } from "hono";
import {
  DIGEST_HEADER,
  digestHeaders,
  IDENTITY_HEADER,
  type InternalSigner,
  LENGTH_HEADER,
  type Problem,
  protocolProblem,
  type RequestHead,
  UNKNOWN_WORKER,
} from "../../activities/secrets/internal.ts";
import type { Env } from "../deps.ts";
import { admit } from "../http/admit.ts";
import { withBody, wholeBody } from "../http/body.ts";
import { tooLong } from "../http/details.ts";
import { ApiError } from "../http/errors.ts";
import { longestBody } from "./lengths.ts";
import { LIMITS, OverLimit } from "../../domain/foreign/limits.ts";
import { createMeter } from "../../domain/foreign/meter.ts";
import type { Heard } from "./heard.ts";
import type { Identities, Shared } from "./identities.ts";
import type { Workers } from "./workers.ts";

/**
 * HTTP status of each reason to refuse a worker. A worker that speaks another protocol must upgrade
 * (RFC 9110 §15.5.22).
 */
const STATUS = { key: 401, clock: 401, protocol: 426 } as const;

/**
 * Admits only requests that are signed by a worker of this instance, each once; a login does not count here. Nothing of
 * a body is read before its request is admitted. Signs every answer to a worker that it knows. Notes which workers were
 * admitted and which were refused.
 */
export function internalAuth(
  identities: Identities,
  workers: Pick<Workers, "seen" | "refused">,
  heard: Pick<Heard, "note">,
): MiddlewareHandler<Env> {
  return async (c, next) => {
    const request = headOf(c);
    const worker = request.header("x-internal-worker");
    const shared = identities.sharedWith(request.header(IDENTITY_HEADER));
    const problem = problemOf(shared, request);
    let refusal: Response | null;
    if (problem !== null || shared === null) {
      const { refusal: reason, message } = problem ?? UNKNOWN_WORKER;
      workers.refused({ refusal: reason, message }, worker, c.get("client").address);
      refusal = c.text(message, STATUS[reason], { "x-refused": reason });
    } else if (shared.isFirst(request.header)) {
      admit(c, worker);
      c.set("shared", shared);
      workers.seen(worker);
      heard.note(request.header(IDENTITY_HEADER));
      refusal = await bodyRefusal(c, request);
    } else {
      refusal = c.text(REPEATED, 409, { "x-refused": "repeated" });
    }
    if (refusal === null) await next();
    const given = refusal ?? c.res;
    // What nobody has signed is answered without a signature, too: who is between must not get one for his own words.
    if (shared === null || isOfStranger(problem)) return given;
    const answer = await signed(shared.signer, request, given);
    c.res = undefined;
    c.res = answer;
  };
}

/** Returns what is shared with the worker that sent an admitted request. */
export function sharedOf(c: Context<Env>): Shared {
  const shared = c.get("shared");
  if (shared === undefined)
    throw new Error("an internal route has no signature before it");
  return shared;
}

const isOfStranger = (problem: Problem | null): boolean =>
  problem !== null && problem.refusal !== "clock";

function problemOf(shared: Shared | null, request: RequestHead): Problem | null {
  const protocol = protocolProblem(request);
  if (protocol !== null) return protocol;
  return shared === null ? UNKNOWN_WORKER : shared.signer.problem(request);
}

const REPEATED =
  "this request came before, or was signed before the control plane began: sign it anew";
const OTHER_BODY =
  "the body is not the one that was signed: something between worker and control plane changes requests";

function headOf(c: Context<Env>): RequestHead {
  const { pathname, search } = new URL(c.req.url);
  const header = (name: string) => c.req.header(name) ?? "";
  return { method: c.req.method, path: pathname + search, header };
}

/**
 * Reads the body of an admitted request for its route. Returns the refusal of one that is longer than its
 * route takes, not the signed one, or beyond the limits of a report; null for any other.
 */
async function bodyRefusal(
  c: Context<Env>,
  { method, path, header }: RequestHead,
): Promise<Response | null> {
  const length = Number(header(LENGTH_HEADER));
  const limit = method === "GET" ? 0 : longestBody(path);
  if (!(length <= limit)) return c.text(tooLong(limit).en, 413);
  if (method === "GET") return null;
  const body = await wholeBody(c, length).catch(refused);
  if (body instanceof ApiError)
    return c.text(body.message, body.status, { ...body.headers });
  const found = digestHeaders(body);
  const isSigned = [DIGEST_HEADER, LENGTH_HEADER].every(
    (name) => found[name] === header(name),
  );
  if (!isSigned) return c.text(OTHER_BODY, 400, { "x-refused": "repeated" });
  const excess = excessOf(body);
  if (excess !== null) return c.text(excess.message, 413);
  withBody(c, body);
  return null;
}

/** Returns what a body has too much of to be parsed; null if it may be. */
function excessOf(body: Buffer): OverLimit | null {
  try {
    createMeter(LIMITS.report).feed(body);
    return null;
  } catch (error) {
    if (error instanceof OverLimit) return error;
    throw error;
  }
}

function refused(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  throw error;
}

/**
 * Signs an answer. A content that is streamed has its digest already, which its reader verifies; any other
 * answer is held whole.
 */
async function signed(
  signer: InternalSigner,
  request: RequestHead,
  answer: Response,
): Promise<Response> {
  const headers = new Headers(answer.headers);
  const isStreamed = headers.has(DIGEST_HEADER);
  const body = isStreamed ? answer.body : Buffer.from(await answer.arrayBuffer());
  const digest = body instanceof Buffer ? digestHeaders(body) : {};
  for (const [name, value] of Object.entries(digest)) headers.set(name, value);
  const { status } = answer;
  const header = (name: string) => headers.get(name) ?? "";
  const signature = signer.answerHeaders(request, { status, header });
  for (const [name, value] of Object.entries(signature)) headers.set(name, value);
  return new Response(body, { status, headers });
}
