import { setMaxListeners } from "node:events";
import type { Dispatcher } from "undici";
import { type Budgets, BUDGETS } from "../../domain/budgets.ts";
import { TransferError } from "../../domain/failure.ts";
import { createAddressGuard } from "./addresses.ts";
import { begun, type BegunBody } from "./body.ts";
import { createDispatcher, type DispatcherOptions } from "./http-dispatcher.ts";
import { createGrowingShown, placeOf, type Shown } from "./foreign.ts";
import { connectionFailure, isUnconnected } from "./http-failure.ts";
import {
  type HttpBody,
  type HttpRequest,
  type HttpResponse,
  isStreamed,
} from "./http-message.ts";
import { toResponse } from "./http-response.ts";
import { type Pace, thenSent } from "./pace.ts";
import { redirectTarget, withoutCredentials } from "./redirect.ts";
import { noteReached } from "./writes.ts";

const IDLE_TIMEOUT_MS = 60_000;
/** The assumed speed (bytes per ms) at which a server hashes and stores a request body. */
const STORING_BYTES_PER_MS = 20_000;
const MOST_REDIRECTS = 5;
const READ_AHEAD = 256 * 1024;
/** Answers 1xx before the answer to a request: each one makes undici wait anew. */
const MOST_PROVISIONAL = 100;

export type HttpOptions = DispatcherOptions & {
  /** Address ranges that may be connected to although link-local and metadata addresses are refused. */
  allowedAddresses?: readonly string[] | undefined;
  /**
   * The host of the end, as a URL has it. If it is at a public address, what it leads to (redirects, places of uploads
   * and tarballs, token servers) must not be at a private one.
   */
  home?: string | undefined;
  /** Texts that must never show in a message, should the server echo them. */
  secrets?: readonly string[] | undefined;
  idleTimeoutMs?: number | undefined;
  /** What a conversation with the end may cost; by default what the settings have by default. */
  budgets?: Budgets | undefined;
  /** Measures how long answers take to begin. */
  pace?: Pace | undefined;
  /** Called with each answer, whatever its status. */
  heard?: (() => void) | undefined;
};

/** What the settings of a process say about its requests to foreign ends. */
export type Network = Pick<HttpOptions, "allowedAddresses" | "proxy" | "budgets">;

export type HttpClient = {
  request: (request: HttpRequest) => Promise<HttpResponse>;
  /** Makes a foreign text safe for messages; `shown` of an answer also hides what its request carried. */
  shown: Shown;
  close: () => Promise<void>;
};

/**
 * Creates the HTTP client of every protocol: it pools connections, limits waiting, refuses metadata addresses and turns
 * every error into a TransferError.
 */
export function createHttpClient(options: HttpOptions = {}): HttpClient {
  const guard = createAddressGuard(options.allowedAddresses ?? [], options.home ?? null);
  const idleMs = options.idleTimeoutMs ?? IDLE_TIMEOUT_MS;
  const floor = { minRate: (options.budgets ?? BUDGETS).minRate, idleMs };
  const { shown, hide } = createGrowingShown(options.secrets ?? []);
  const dispatcher = createDispatcher(options, guard.lookup, idleMs);
  let hasAnswered = false;

  async function send(
    request: HttpRequest,
    url: URL,
    headers: Record<string, string>,
  ): Promise<HttpResponse> {
    const silence = idleMs + Math.ceil((request.storedBytes ?? 0) / STORING_BYTES_PER_MS);
    // A request with `storedBytes` waits for work that it caused; its duration says nothing about the
    // pace of the end.
    const measured =
      request.storedBytes === undefined ? options.pace?.request() : undefined;
    loginOf(request).forEach(hide);
    const place = placeOf(url, request.ours, shown);
    const fail = (error: unknown) =>
      connectionFailure(
        error,
        { what: request.what, place, shown, hasAnswered },
        request.signal,
        silence,
      );
    if (request.signal !== undefined) setMaxListeners(0, request.signal);
    let streamed: BegunBody | undefined;
    let begins = false;
    try {
      guard.checkHost(url.hostname);
      if (isStreamed(request.body)) streamed = await begun(request.body, request.signal);
      const begunBody = streamed?.pieces ?? request.body;
      const body = measured ? followed(begunBody, measured.sent) : begunBody;
      begins = true;
      const answer = await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: request.method as Dispatcher.HttpMethod,
        headers,
        body: (body ?? null) as Dispatcher.DispatchOptions["body"] & null,
        signal: request.signal,
        headersTimeout: silence,
        bodyTimeout: silence,
        highWaterMark: READ_AHEAD,
        onInfo: provisional(request.what, place.where),
        // `reset: false` keeps the connection: by default undici closes it after each HEAD.
        ...(request.method === "HEAD" ? { reset: false } : {}),
      });
      hasAnswered = true;
      options.heard?.();
      noteReached(request.method, answer.statusCode);
      return toResponse(answer, { url, place, shown, floor }, request, fail);
    } catch (error) {
      streamed?.drop();
      if (begins && !isUnconnected(error)) noteReached(request.method, null);
      throw fail(error);
    } finally {
      measured?.over();
    }
  }

  return {
    request: (request) => followRedirects(request, send),
    shown,
    close: () => dispatcher.destroy(),
  };
}

/** Returns what is called with each answer 1xx to a request; it throws when they are too many. */
function provisional(what: string, where: string): () => void {
  let count = 0;
  return () => {
    count += 1;
    if (count <= MOST_PROVISIONAL) return;
    throw new TransferError(
      "invalid",
      `${what}: ${where} sends more than ${MOST_PROVISIONAL} provisional answers (1xx) before an answer: ` +
        "check the server",
    );
  };
}

type Send = (
  request: HttpRequest,
  url: URL,
  headers: Record<string, string>,
) => Promise<HttpResponse>;

/**
 * Sends a request and follows at most five redirects. Throws the error of an answer whose status is not
 * accepted, or whose redirect must not be followed.
 */
async function followRedirects(first: HttpRequest, send: Send): Promise<HttpResponse> {
  let request = first;
  let url = first.url;
  let headers: Record<string, string> = {
    "accept-encoding": "identity",
    ...first.headers,
  };
  let start: string | undefined;
  for (let hops = 0; ; hops += 1) {
    const response = await send(request, url, headers);
    const { status } = response;
    if ((status >= 200 && status < 300) || first.accept?.includes(status) === true)
      return response;
    start ??= response.place.where;
    const isMoved = status >= 300 && status < 400 && first.unmoved !== true;
    const next = isMoved ? redirectTarget(first, response) : undefined;
    if (next === undefined) throw await response.failure();
    await response.discard();
    if (hops === MOST_REDIRECTS)
      throw new TransferError(
        "invalid",
        `${first.what}: ${start} redirects more than ${MOST_REDIRECTS} times: check the url`,
      );
    if (next.origin !== url.origin) headers = withoutCredentials(headers);
    url = next;
    request = { ...first, ours: first.ours ?? first.url.origin };
  }
}

/**
 * Returns the credentials in the Authorization header of a request, such as a token from its registry; messages
 * must not show them. Empty without that header.
 */
function loginOf({ headers = {} }: HttpRequest): string[] {
  const sent = headers["authorization"]?.split(" ")[1];
  return sent === undefined || sent === "" ? [] : [sent];
}

/**
 * Returns the body of a request such that `sent` is called when all of a stream has gone; for any other body,
 * `sent` is called at once. The time before depends on more than the end that receives a stream, so only the
 * wait afterwards is measured.
 */
function followed(body: HttpBody | undefined, sent: () => void): HttpBody | undefined {
  if (isStreamed(body)) return thenSent(body, sent);
  sent();
  return body;
}
