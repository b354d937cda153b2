import { endpointText } from "../../../domain/endpoint-url.ts";
import { TransferError, type FailureKind } from "../../../domain/failure.ts";
import { isHttp, readUrl } from "../../../domain/http-url.ts";
import { jsonIfAny } from "../../../domain/foreign/json.ts";
import { LIMITS, type Limits } from "../../../domain/foreign/limits.ts";
import { isRecord } from "../../../domain/json.ts";
import { SYNC_PREFIX } from "../../../domain/sync.ts";
import type { Shown } from "../foreign.ts";
import type { HttpClient } from "../http.ts";
import type { HttpRequest, HttpResponse } from "../http-message.ts";

/**
 * Statuses whose answers an instance explains in its JSON envelope. An answer without the envelope
 * comes from another product.
 */
const TOLD_BY_ENVELOPE = [400, 404, 405, 409];
const DISK_FULL = 507;
const DIGEST_MISMATCH = 251003;

type WireRequest = Pick<
  HttpRequest,
  "method" | "what" | "headers" | "body" | "signal" | "storedBytes"
> & {
  /** The encoded path below the prefix of the API, such as `files/p/r`. */
  path: string;
  /** The failure kinds of 404 and 409 for this call, if they differ from `notFound` and `invalid`. */
  meaning?: Partial<Record<404 | 409, FailureKind>>;
  /** What the answer may have at most, if that differs from LIMITS.facts. */
  limits?: Limits;
  /** The beginning of `path` that is ours, when the instance has named the rest (the id of an upload). */
  ours?: string;
};

export type Wire = {
  base: URL;
  /**
   * Sends a request and returns the `data` of the answer's envelope. Throws a TransferError when the answer has
   * no envelope or reports a failure.
   */
  call: (request: WireRequest) => Promise<unknown>;
  /** Makes a text of the other end safe for a message: short, and without the secrets of the login. */
  shown: Shown;
};

type Envelope = { code: number; message: string | null; data: unknown };

/**
 * Parses an instance's URL as users write it: without a scheme, https is assumed (http for loopback). The URL
 * has a path if a proxy serves the instance below one. Throws `invalid` when the text is not an http(s) URL.
 */
export function instanceUrl(text: string): URL {
  const url = readUrl(text);
  if (url === null || !isHttp(url)) {
    throw new TransferError(
      "invalid",
      "the cluster's url is not an http(s) URL: write https://host or https://host:port",
    );
  }
  return new URL(endpointText(url));
}

/** Returns host, port and path of an instance, without credentials. */
export const addressOf = (base: URL): string =>
  `${base.host}${base.pathname.replace(/\/$/, "")}`;

/** Creates the caller of an instance's API. */
export function createWire(
  http: HttpClient,
  base: URL,
  authorization: string | null,
): Wire {
  const prefix = `${base.protocol}//${addressOf(base)}${SYNC_PREFIX}/`;

  async function call({
    path,
    ours,
    headers,
    meaning = {},
    limits = LIMITS.facts,
    ...rest
  }: WireRequest): Promise<unknown> {
    const response = await http.request({
      ...rest,
      url: new URL(prefix + path),
      ours: ours === undefined ? undefined : prefix + ours,
      headers: {
        accept: "application/json",
        ...(authorization === null ? {} : { authorization }),
        ...headers,
      },
      accept: [...TOLD_BY_ENVELOPE, DISK_FULL],
      describe: (body, shown) => shown(envelopeIn(body)?.message ?? ""),
      errorCodes: (body) => codesOf(envelopeIn(body)),
    });
    return readAnswer(response, { what: rest.what, base, meaning, limits });
  }

  return { base, call, shown: http.shown };
}

type Asked = {
  what: string;
  base: URL;
  meaning: NonNullable<WireRequest["meaning"]>;
  limits: Limits;
};

async function readAnswer(
  response: HttpResponse,
  { what, base, meaning, limits }: Asked,
): Promise<unknown> {
  if (response.status === DISK_FULL) {
    await response.discard();
    throw new TransferError(
      "noSpace",
      `${what}: answered ${DISK_FULL}: the disk is full at ${addressOf(base)}: free space there`,
    );
  }
  const envelope = toEnvelope(await response.json(limits));
  if (envelope === null) throw otherProduct(what, base, response.status);
  if (response.status < 300) return envelope.data;
  const { code, message } = envelope;
  const said = message === null ? `code ${code}` : response.shown(message);
  throw new TransferError(
    kindOf(response.status, code, meaning),
    `${what}: ${base.host} says: ${said}`,
    { codes: [String(code)] },
  );
}

function kindOf(status: number, code: number, meaning: Asked["meaning"]): FailureKind {
  if (code === DIGEST_MISMATCH) return "digestMismatch";
  if (status === 404) return meaning[404] ?? "notFound";
  return status === 409 ? (meaning[409] ?? "invalid") : "invalid";
}

/**
 * Builds the error for an answer that is not one of an instance; `status`: the status of that answer,
 * when it is known.
 */
export function otherProduct(what: string, base: URL, status?: number): TransferError {
  const answered = status === undefined ? "" : ` (it answered ${status})`;
  return new TransferError(
    "unsupported",
    `${what}: the server at ${addressOf(base)}${answered} is not an instance of this product (or a version too old ` +
      "for replication): check the cluster's url; a registry is a cluster of type REMOTE",
  );
}

const codesOf = (envelope: Envelope | null): string[] =>
  envelope === null ? [] : [String(envelope.code)];

const envelopeIn = (body: string): Envelope | null =>
  toEnvelope(jsonIfAny(body, LIMITS.error));

function toEnvelope(value: unknown): Envelope | null {
  if (!isRecord(value) || typeof value["code"] !== "number" || !("data" in value))
    return null;
  const message = value["message"];
  return {
    code: value["code"],
    message: typeof message === "string" ? message : null,
    data: value["data"],
  };
}

export const json = (value: unknown) => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});
