import { Agent, type Dispatcher, request } from "undici";
import { NOT_JSON, readJson } from "../domain/foreign/json.ts";
import { LIMITS, OverLimit } from "../domain/foreign/limits.ts";
import { stopOf, TransferError } from "../domain/failure.ts";
import { REFUSALS, type Refusal } from "../domain/worker-messages.ts";
import { createInternalSigner } from "./secrets/internal.ts";

/** `name`: the name of this worker; `onRefused` is called for each answer that refuses the worker. */
export type CallOptions = {
  apiUrl: string;
  secretKey: string;
  name: string;
  onRefused?: (reason: string, refusal: Refusal | undefined) => void;
};

type Method = "GET" | "POST";
type OpenOptions = {
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

/**
 * HTTP statuses with which the control plane refuses a worker: its key or its clock is wrong (401), or it
 * speaks another internal protocol (426).
 */
const REFUSED = [401, 426];

/**
 * Creates a sender of signed requests to the control plane. A request that fails throws a TransferError:
 * `unreachable` while the control plane is away, `refused` when it refuses this worker, the error of the
 * signal when `signal` fires, and for another status than 2xx `server`, `notFound` or `invalid`.
 */
export function createInternalCaller(options: CallOptions) {
  const { apiUrl, secretKey, name } = options;
  const signer = createInternalSigner(secretKey);
  const agent = new Agent({
    connections: 32,
    connect: { timeout: 10_000 },
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  });

  async function open(
    method: Method,
    path: string,
    { body: value, headers, signal }: OpenOptions = {},
  ) {
    const body = value === undefined ? "" : JSON.stringify(value);
    const signed = {
      "content-type": "application/json",
      "x-internal-worker": name,
      ...signer.headers(method, path, body),
      ...headers,
    };
    try {
      const answer = await request(new URL(apiUrl + path), {
        method,
        headers: signed,
        dispatcher: agent,
        ...(body ? { body } : {}),
        ...(signal ? { signal } : {}),
      });
      // An answer's body that is dropped before it is read may emit an error, which without a listener
      // would end the process.
      answer.body.on("error", () => undefined);
      if (answer.statusCode < 300) return answer;
      throw await failureOf(answer, `${method} ${path}`, options);
    } catch (error) {
      if (signal?.aborted) throw stopOf(signal);
      if (error instanceof TransferError) throw error;
      const message =
        `the control plane at ${apiUrl} cannot be reached: ` +
        "check that it runs, and API_URL of this worker";
      throw new TransferError("unreachable", message, { cause: error });
    }
  }

  async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const answer = await open(method, path, body === undefined ? {} : { body });
    const value = await readJson(answer.body, LIMITS.order).catch((error: unknown) => {
      if (error instanceof OverLimit)
        throw new TransferError(
          "invalid",
          `the control plane at ${apiUrl} answers ${method} ${path} with too much: ${error.message}`,
        );
      const message = `the connection to the control plane at ${apiUrl} was lost while it answered`;
      throw new TransferError("unreachable", message, { cause: error });
    });
    if (value === NOT_JSON)
      throw new TransferError("invalid", `it answers ${method} ${path} without JSON`);
    return value as T;
  }

  return { open, call, close: () => agent.close() };
}

/**
 * Builds the error for an answer with a status other than 2xx. If the control plane refuses this worker
 * (401, 426), calls `onRefused` too.
 */
async function failureOf(
  { statusCode: status, body, headers }: Dispatcher.ResponseData,
  request: string,
  { apiUrl, onRefused }: CallOptions,
): Promise<TransferError> {
  const text = (await body.text()).slice(0, 300);
  if (REFUSED.includes(status)) {
    const refusal = REFUSALS.find((one) => one === headers["x-refused"]);
    onRefused?.(text, refusal);
    const message = `the control plane at ${apiUrl} refuses this worker (${status}): ${text}`;
    return new TransferError("refused", message);
  }
  const kind = status >= 500 ? "server" : status === 404 ? "notFound" : "invalid";
  const message = `the control plane answered ${status} to ${request}: ${text}`;
  return new TransferError(kind, message);
}
