import type { Readable } from "node:stream";
import { Agent, request } from "undici";
import { NOT_JSON, readJson } from "../domain/foreign/json.ts";
import { LIMITS, OverLimit } from "../domain/foreign/limits.ts";
import { stopOf, TransferError } from "../domain/failure.ts";
import { failureOf, ofDigest, unsignedFailure } from "./internal-answers.ts";
import { createInternalSigner, DIGEST_HEADER } from "./secrets/internal.ts";
import type { WorkerIdentity } from "./secrets/worker-token.ts";
import { elapsed } from "../domain/elapsed.ts";

/** `name`: the name of this process; `onRefused` is called for each answer that refuses the worker. */
export type CallOptions = {
  apiUrl: string;
  identity: WorkerIdentity;
  name: string;
  /** Whether the control plane runs on this machine, so that nobody is between. */
  apiBeside?: boolean;
  onRefused?: (reason: string) => void;
};

/**
 * For how long (ms) refusals that are not signed with this worker's key are taken for a disturbance on the way.
 * Then the control plane has another key, and the work of this worker goes to those whom it admits.
 */
const DISTURBED_MS = 30_000;

const CONNECTIONS = { connections: 32, headersTimeout: 60_000, bodyTimeout: 60_000 };
const CONNECT = { timeout: 10_000 };

type Method = "GET" | "POST";
type OpenOptions = {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/**
 * Creates a sender of signed requests to the control plane, which believes signed answers only. A request that
 * fails throws a TransferError: `unreachable` while the control plane is away or its answers are not signed,
 * `refused` when it refuses this worker, the error of the signal when `signal` fires, and for another status
 * than 2xx `server`, `notFound` or `invalid`. `disturbedMs`: as DISTURBED_MS.
 */
export function createInternalCaller(options: CallOptions, disturbedMs = DISTURBED_MS) {
  const { apiUrl, identity, name, apiBeside = false, onRefused } = options;
  const signer = createInternalSigner(identity);
  // The certificate names the addresses of clients, seldom that of this machine's loopback. On the machine itself
  // signatures suffice: whoever answers in the place of the control plane is not believed, and gets no secret.
  const connect = { ...CONNECT, rejectUnauthorized: !apiBeside };
  const agent = new Agent({ ...CONNECTIONS, connect });
  const refusable = { apiUrl, ...(onRefused && { onRefused }) };
  const disturbance = createDisturbance(disturbedMs);

  async function ask(
    method: Method,
    path: string,
    { body: value, headers: more = {}, signal }: OpenOptions,
  ) {
    const body = value === undefined ? "" : JSON.stringify(value);
    const headers = signer.headers(method, path, body, {
      ...more,
      "content-type": "application/json",
      "x-internal-worker": name,
    });
    const answer = await request(new URL(apiUrl + path), {
      method,
      headers,
      dispatcher: agent,
      ...(body ? { body } : {}),
      ...(signal ? { signal } : {}),
    });
    // An answer's body that is dropped before it is read may emit an error, which without a listener
    // would end the process.
    answer.body.on("error", () => undefined);
    const head = {
      status: answer.statusCode,
      header: (each: string) => String(answer.headers[each] ?? ""),
    };
    const asked = { method, path, header: (each: string) => headers[each] ?? "" };
    if (!signer.isAnswer(asked, head)) {
      const failure = await unsignedFailure(answer, apiUrl, disturbance.hasLasted);
      if (failure.kind === "refused") onRefused?.(failure.message);
      throw failure;
    }
    disturbance.end();
    return { answer, digest: head.header(DIGEST_HEADER) };
  }

  async function open(method: Method, path: string, options: OpenOptions = {}) {
    try {
      const { answer, digest } = await ask(method, path, options);
      const { statusCode, headers, body } = answer;
      if (statusCode >= 300)
        throw await failureOf(answer, `${method} ${path}`, refusable);
      // The digest of a part of a content is that of the whole content; the target compares it.
      return {
        statusCode,
        headers,
        body: statusCode === 206 ? body : ofDigest(body, digest),
      };
    } catch (error) {
      throw away(error, apiUrl, options.signal);
    }
  }

  async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const answer = await open(method, path, body === undefined ? {} : { body });
    return (await jsonOf(answer.body, apiUrl, `${method} ${path}`)) as T;
  }

  return { open, call, close: () => agent.close() };
}

/** Translates what broke off a request. */
function away(error: unknown, apiUrl: string, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return stopOf(signal);
  if (error instanceof TransferError) return error;
  const message =
    `the control plane at ${apiUrl} cannot be reached: ` +
    "check that it runs, and API_URL of this worker";
  return new TransferError("unreachable", message, { cause: error });
}

/** Measures for how long refusals without a good signature have come, and nothing signed. */
function createDisturbance(mostMs: number) {
  let since: number | null = null;
  return {
    hasLasted(): boolean {
      since ??= elapsed();
      return elapsed() - since >= mostMs;
    },
    end: () => void (since = null),
  };
}

async function jsonOf(body: Readable, apiUrl: string, request: string): Promise<unknown> {
  const value = await readJson(body, LIMITS.order).catch((error: unknown) => {
    if (error instanceof TransferError) throw error;
    if (error instanceof OverLimit)
      throw new TransferError(
        "invalid",
        `the control plane at ${apiUrl} answers ${request} with too much: ${error.message}`,
      );
    const message = `the connection to the control plane at ${apiUrl} was lost while it answered`;
    throw new TransferError("unreachable", message, { cause: error });
  });
  if (value === NOT_JSON)
    throw new TransferError("invalid", `it answers ${request} without JSON`);
  return value;
}
