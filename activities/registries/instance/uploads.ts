import { TransferError } from "../../../domain/failure.ts";
import {
  OFFSET_HEADER,
  type UploadClaim,
  type UploadedContent,
  type UploadRequest,
  type UploadSession,
} from "../../../domain/sync.ts";
import { readSession, readUploaded } from "./answers.ts";
import { throttled, type SendHooks } from "./send.ts";
import { json, type Wire } from "./wire.ts";

export type Uploads = {
  startUpload: (content: UploadRequest, signal: AbortSignal) => Promise<UploadSession>;
  /** Returns the state of an upload session; null when the target no longer has it. */
  uploadSession: (id: string, signal: AbortSignal) => Promise<UploadSession | null>;
  /**
   * Sends `length` bytes and returns the state of the session after them. Chunks of `bytes` should not exceed 1 MiB.
   */
  appendUpload: (
    session: UploadSession,
    length: number,
    bytes: AsyncIterable<Uint8Array>,
    hooks: SendHooks,
  ) => Promise<UploadSession>;
  /**
   * Ends an upload. Throws `digestMismatch` when the bytes differ from `content`; the target has then
   * dropped the upload.
   */
  finishUpload: (
    id: string,
    content: UploadRequest,
    signal: AbortSignal,
  ) => Promise<void>;
  dropUpload: (id: string, signal: AbortSignal) => Promise<void>;
};

/**
 * Uploads of contents whose sha256 or size the source does not state. For appending to such an upload
 * and dropping it, use the calls of `Uploads`.
 */
export type UploadsWithoutDigest = {
  /** Begins an upload; the result is `done` when a sha256 is given and the target has that content. */
  startUpload: (known: UploadClaim, signal: AbortSignal) => Promise<UploadSession>;
  /**
   * Ends the upload of `sent` bytes and returns size and sha256 of the content. Throws `digestMismatch`
   * when the content differs from `expected`; the target has then dropped the upload.
   */
  finishUpload: (
    id: string,
    expected: UploadClaim,
    sent: number,
    signal: AbortSignal,
  ) => Promise<UploadedContent>;
};

/**
 * 404 (the session is gone) and 409 (the target is at another offset, or a newer request continues the upload)
 * say nothing about the content, so both are retryable.
 */
const LATER = { 404: "server", 409: "server" } as const;

/** The address of an upload: the instance has chosen its id. */
const at = (id: string) => ({
  path: `uploads/${encodeURIComponent(id)}`,
  ours: "uploads/",
});

const whatOf = (wire: Wire) => `upload to ${wire.base.host}`;

export function createUploads(wire: Wire): Uploads {
  const what = whatOf(wire);
  return {
    async startUpload(content, signal) {
      return readSession(
        await wire.call({
          method: "POST",
          what,
          path: "uploads",
          signal,
          ...json(content),
        }),
        what,
      );
    },
    async uploadSession(id, signal) {
      try {
        return readSession(
          await wire.call({ method: "GET", what, ...at(id), signal }),
          what,
        );
      } catch (error) {
        if (error instanceof TransferError && error.kind === "notFound") return null;
        throw error;
      }
    },
    async appendUpload({ id, offset }, length, bytes, hooks) {
      const headers = {
        "content-type": "application/octet-stream",
        "content-length": String(length),
        [OFFSET_HEADER]: String(offset),
      };
      const body = throttled(bytes, hooks);
      const request = {
        method: "PATCH",
        what,
        ...at(id),
        headers,
        body,
        signal: hooks.signal,
        meaning: LATER,
      } as const;
      return readSession(await wire.call(request), what);
    },
    async finishUpload(id, content, signal) {
      // The target may have to read the whole upload once more before it answers, so `storedBytes` allows a
      // longer silence.
      await wire.call({
        method: "PUT",
        what,
        ...at(id),
        signal,
        ...json(content),
        storedBytes: content.size,
        meaning: LATER,
      });
    },
    async dropUpload(id, signal) {
      await wire.call({ method: "DELETE", what, ...at(id), signal });
    },
  };
}

export function createUploadsWithoutDigest(wire: Wire): UploadsWithoutDigest {
  const what = whatOf(wire);
  return {
    async startUpload(known, signal) {
      return readSession(
        await wire.call({
          method: "POST",
          what,
          path: "uploads",
          signal,
          ...json(known),
        }),
        what,
      );
    },
    async finishUpload(id, expected, sent, signal) {
      const rest = { signal, ...json(expected), storedBytes: sent, meaning: LATER };
      return readUploaded(
        await wire.call({ method: "PUT", what, ...at(id), ...rest }),
        what,
      );
    },
  };
}
