import type { Limits } from "../../domain/foreign/limits.ts";
import type { TransferError } from "../../domain/failure.ts";
import type { Place, Shown } from "./foreign.ts";

export type HttpBody = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Whether a body is a stream, which can be sent only once. */
export function isStreamed(
  body: HttpBody | undefined,
): body is AsyncIterable<Uint8Array> {
  return body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
}

export type HttpRequest = {
  method:
    | "GET"
    | "HEAD"
    | "POST"
    | "PUT"
    | "PATCH"
    | "DELETE"
    | "OPTIONS"
    | "PROPFIND"
    | "PROPPATCH"
    | "MKCOL"
    | "MOVE"
    | "COPY";
  url: URL;
  /**
   * For a URL that a server has named: the part at its beginning that is known without the server; messages
   * treat the rest as a foreign text. Undefined: the server had no say in the URL.
   */
  ours?: string | undefined;
  /** The subject of the request, with which most error messages about it begin. */
  what: string;
  headers?: Record<string, string> | undefined;
  /**
   * A stream needs a content-length header if the server requires one; a request with a stream cannot follow a
   * redirect.
   */
  body?: HttpBody | undefined;
  signal?: AbortSignal | undefined;
  /** Whether a redirect is an error: what the request carries is for this address alone. */
  unmoved?: boolean | undefined;
  /** Statuses besides 2xx that the caller handles and that are not errors. */
  accept?: readonly number[] | undefined;
  /**
   * Number of bytes that the server may have to hash and store before it answers; the request then
   * tolerates a longer silence.
   */
  storedBytes?: number | undefined;
  /**
   * Returns what an error message quotes of an error body; every foreign text in it goes through `shown`. By
   * default the body itself is quoted.
   */
  describe?: ((body: string, shown: Shown) => string) | undefined;
  /** Reads the protocol's error codes from an error body, for `codes` of the TransferError. */
  errorCodes?: ((body: string) => readonly string[]) | undefined;
  /** The codes that the protocol defines; all others are foreign texts. */
  knownCodes?: ReadonlySet<string> | undefined;
};

export type HttpResponse = {
  status: number;
  /** The URL that answered, after redirects. */
  url: URL;
  /** How messages name that URL. */
  place: Place;
  /** Makes a text of this answer safe for messages; it also hides the login that the request carried. */
  shown: Shown;
  header: (name: string) => string | undefined;
  /**
   * Returns all header fields called `name` as the one list that they form (RFC 9110 §5.3); undefined when
   * there is none.
   */
  list: (name: string) => string | undefined;
  /**
   * The Content-Encoding that the server applied to the body without a request for it ("gzip"); null: none.
   * `bytes` decodes it, and so does `stream` unless it is called with `raw`.
   */
  coding: string | null;
  /** Reads the whole body; throws when it has more than `limit` bytes after decoding. */
  bytes: (limit: number) => Promise<Buffer>;
  /**
   * Reads the body as JSON; NOT_JSON when it is not valid. Throws `invalid` as soon as the body has more than its
   * limits allow; `advice`: what to do then.
   */
  json: (limits: Limits, advice?: string) => Promise<unknown>;
  /**
   * Builds the error to throw when the status of this answer is not acceptable. Reads the body for its
   * message.
   */
  failure: () => Promise<TransferError>;
  /**
   * Streams the body, decoded unless `raw`; errors are TransferErrors. Read the stream to its end or
   * call `discard`.
   */
  stream: (options?: { raw?: boolean }) => AsyncGenerator<Buffer, void, undefined>;
  discard: () => Promise<void>;
};
