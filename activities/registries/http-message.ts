import type { TransferError } from "../../domain/failure.ts";

export type HttpBody = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Such a body can be sent once. */
export function isStreamed(body: HttpBody | undefined): body is AsyncIterable<Uint8Array> {
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
  /** Begins every message about this request: the thing it is about. */
  what: string;
  headers?: Record<string, string> | undefined;
  /** A stream needs a content-length header where the server wants one; it cannot follow a redirect. */
  body?: HttpBody | undefined;
  signal?: AbortSignal | undefined;
  /** Statuses besides 2xx that are answers to the caller and no errors. */
  accept?: readonly number[] | undefined;
  /** So many bytes the server may have to hash and store before it answers: it may be silent for longer. */
  storedBytes?: number | undefined;
  /** Says in one line what an error body means; the default is its beginning. */
  describe?: ((body: string) => string) | undefined;
  /** Reads the protocol's error codes from an error body, for `codes` of the failure. */
  errorCodes?: ((body: string) => readonly string[]) | undefined;
};

export type HttpResponse = {
  status: number;
  /** Where the answer came from, after redirects. */
  url: URL;
  header: (name: string) => string | undefined;
  /** All fields of that name as the one list that they are (RFC 9110 §5.3). */
  list: (name: string) => string | undefined;
  /**
   * How the body is coded where the server codes it although nobody asked for that ("gzip"); null = as it is. It is
   * read decoded.
   */
  coding: string | null;
  /** The whole body, at most `limit` bytes once it is decoded. */
  bytes: (limit: number) => Promise<Buffer>;
  /** The error this answer would have been, had its status not been accepted; reads the body. */
  failure: () => Promise<TransferError>;
  /** The body as it comes, decoded unless `raw`; errors are TransferErrors. Read it to its end or call `discard`. */
  stream: (options?: { raw?: boolean }) => AsyncGenerator<Buffer, void, undefined>;
  discard: () => Promise<void>;
};
