import type { Readable } from "node:stream";

/** Bytes `start` to `end`, both included; without `end`, to the last byte. */
export type Range = { start: number; end?: number | undefined };

/** An opened content: `size` is the size of the whole content. `stream` must be read to its end or destroyed. */
type Opened = { size: number; stream: Readable };

/** Reads content by its sha256 (lower-case hex), from this machine's disk or through the control plane. */
export type ContentSource = {
  /** Opens a content. Throws a TransferError `notFound` when the content does not exist. */
  open: (sha256: string, range?: Range, signal?: AbortSignal) => Promise<Opened>;
  /**
   * Returns those of the named contents that exist and are small (INLINE_LIMIT), by sha256; the caller
   * opens the others one by one. Pass at most 256 names.
   */
  readSmall: (sha256: string[], signal?: AbortSignal) => Promise<Map<string, Buffer>>;
  /**
   * Asks the control plane to look at a content that was gone or wrong when it was read. Never rejects: a
   * control plane that is away finds the content by itself later.
   */
  suspect: (sha256: string) => Promise<void>;
  close: () => Promise<void>;
};
