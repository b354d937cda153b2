import { Agent, request } from "undici";
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

/** Statuses that refuse a worker: a wrong signature (401) or another internal protocol (426). */
const REFUSED = [401, 426];

/**
 * Sends signed requests to the control plane. Calls throw a TransferError: `unreachable` (retryable) while the control
 * plane is away, `refused` when it does not accept this worker.
 */
export function createInternalCaller({
  apiUrl,
  secretKey,
  name,
  onRefused,
}: CallOptions) {
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
    options: {
      body?: unknown;
      headers?: Record<string, string>;
      signal?: AbortSignal;
    } = {},
  ) {
    const body = options.body === undefined ? "" : JSON.stringify(options.body);
    const signed = {
      "content-type": "application/json",
      "x-internal-worker": name,
      ...signer.headers(method, path, body),
      ...options.headers,
    };
    try {
      const answer = await request(new URL(apiUrl + path), {
        method,
        headers: signed,
        dispatcher: agent,
        ...(body ? { body } : {}),
        ...(options.signal ? { signal: options.signal } : {}),
      });
      // A body that is dropped before it is read ends with an error, which without a listener would end the process.
      answer.body.on("error", () => undefined);
      if (answer.statusCode < 300) return answer;
      const text = (await answer.body.text()).slice(0, 300);
      throw failureOf(
        { method, path },
        answer.statusCode,
        text,
        answer.headers["x-refused"],
      );
    } catch (error) {
      if (options.signal?.aborted) throw stopOf(options.signal);
      if (error instanceof TransferError) throw error;
      throw new TransferError(
        "unreachable",
        `the control plane at ${apiUrl} cannot be reached`,
        { cause: error },
      );
    }
  }

  function failureOf(
    { method, path }: { method: Method; path: string },
    status: number,
    text: string,
    given: string | string[] | undefined,
  ): TransferError {
    if (REFUSED.includes(status)) {
      const refusal = REFUSALS.find((one) => one === given);
      onRefused?.(text, refusal);
      return new TransferError(
        "refused",
        `the control plane at ${apiUrl} refuses this worker (${status}): ${text}`,
      );
    }
    const kind = status >= 500 ? "server" : status === 404 ? "notFound" : "invalid";
    return new TransferError(
      kind,
      `the control plane answered ${status} to ${method} ${path}: ${text}`,
    );
  }

  async function call<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const answer = await open(method, path, body === undefined ? {} : { body });
    return (await answer.body.json().catch((error: unknown) => {
      const message = `the connection to the control plane at ${apiUrl} was lost while it answered`;
      throw new TransferError("unreachable", message, { cause: error });
    })) as T;
  }

  return { open, call, close: () => agent.close() };
}
