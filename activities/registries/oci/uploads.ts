import { TransferError, toTransferError } from "../../../domain/failure.ts";
import { digestParts, isDigest, type Digest } from "../../../domain/digest.ts";
import type { HttpBody, HttpResponse } from "../http-message.ts";
import type { Access } from "./access.ts";
import { blobLabel } from "./blobs.ts";
import type { RegistryClient } from "./client.ts";
import { type Manners, REFUSALS } from "./told.ts";

/**
 * An open upload. `location`: the newest location that the registry has sent; older ones may be invalid.
 * `offset`: how many bytes the registry has. `minChunk`: the fewest bytes of a chunk that it accepts; 0: any.
 */
export type UploadSession = { location: string; offset: number; minChunk: number };

export type Uploads = {
  /**
   * Begins an upload to the repository `name`. With `mountFrom`, the registry may take the blob from
   * that repository instead (`mounted`).
   */
  startUpload: (
    name: string,
    digest: Digest,
    mountFrom: string | null,
    signal?: AbortSignal,
  ) => Promise<UploadSession | "mounted">;
  /**
   * Returns the state of an upload at the registry; null when the registry no longer knows the upload or
   * refuses to tell.
   */
  uploadStatus: (
    name: string,
    location: string,
    signal?: AbortSignal,
  ) => Promise<UploadSession | null>;
  /**
   * Sends `length` bytes at the session's offset. Returns the session with the offset that the registry
   * confirms, which may differ from the expected one; without a confirmation, the expected one counts.
   */
  appendChunk: (
    name: string,
    session: UploadSession,
    body: HttpBody,
    length: number,
    signal?: AbortSignal,
  ) => Promise<UploadSession>;
  /**
   * Closes an upload, with the rest of the blob if given. `size` is the size of the whole blob. Throws
   * `digestMismatch` when the registry finds or reports another digest.
   */
  finishUpload: (
    name: string,
    session: UploadSession,
    blob: { digest: Digest; size: number },
    rest: UploadRest | null,
    signal?: AbortSignal,
  ) => Promise<void>;
  /** Cancels an upload that will not be finished; best effort, never throws. */
  cancelUpload: (name: string, session: UploadSession) => Promise<void>;
};

type UploadRest = { body: HttpBody; length: number };

const OCTETS = "application/octet-stream";

type Wire = { client: RegistryClient; access: Access; manners: Manners };

export function createUploads(
  client: RegistryClient,
  access: Access,
  manners: Manners,
): Uploads {
  const wire: Wire = { client, access, manners };
  return {
    startUpload: (name, digest, mountFrom, signal) =>
      startUpload(wire, name, digest, mountFrom, signal),
    uploadStatus: (name, location, signal) => uploadStatus(wire, name, location, signal),
    appendChunk: (name, session, body, length, signal) =>
      appendChunk(wire, name, session, { body, length }, signal),
    finishUpload: (name, session, blob, rest, signal) =>
      finishUpload(wire, name, session, blob, rest, signal),
    cancelUpload: (name, { location }) =>
      cancelUpload(wire, name, location).catch(() => undefined),
  };
}

/**
 * Begins an upload, by a mount if `mountFrom` is given. If the registry refuses to mount from another
 * repository, the upload begins without it.
 */
async function startUpload(
  wire: Wire,
  name: string,
  digest: Digest,
  mountFrom: string | null,
  signal?: AbortSignal,
): Promise<UploadSession | "mounted"> {
  if (mountFrom === null || mountFrom === name)
    return begin(wire, name, digest, mountFrom, signal);
  const told = await wire.manners.ask("mount", async () => {
    const begun = await begin(wire, name, digest, mountFrom, signal).catch(
      toTransferError,
    );
    if (!(begun instanceof TransferError)) return { kind: "there", value: begun };
    if (begun.retryable || begun.isPutOff) throw begun;
    return { kind: "untold", refusal: begun };
  });
  return told.kind === "there" ? told.value : begin(wire, name, digest, null, signal);
}

async function begin(
  { client, access }: Wire,
  name: string,
  digest: Digest,
  mountFrom: string | null,
  signal?: AbortSignal,
): Promise<UploadSession | "mounted"> {
  const query =
    mountFrom === null
      ? ""
      : `?${new URLSearchParams({ mount: digest, from: access.path(mountFrom) })}`;
  const response = await client.request({
    method: "POST",
    to: `${access.path(name)}/blobs/uploads/${query}`,
    what: blobLabel(name, digest),
    scopes: mountFrom === null ? access.push(name) : access.mount(name, mountFrom),
    signal,
  });
  await response.discard();
  return mountFrom !== null && response.status === 201
    ? "mounted"
    : sessionOf(client, response, 0, 0);
}

async function uploadStatus(
  { client, access }: Wire,
  name: string,
  location: string,
  signal?: AbortSignal,
): Promise<UploadSession | null> {
  const response = await client.request({
    method: "GET",
    to: client.resolve(location, client.origin),
    what: `upload to ${name}`,
    scopes: access.push(name),
    accept: REFUSALS,
    signal,
  });
  await response.discard();
  if (response.status >= 300) return null;
  const offset = confirmedOffset(response) ?? 0;
  return response.header("location") === undefined
    ? { location, offset, minChunk: 0 }
    : sessionOf(client, response, offset, 0);
}

async function cancelUpload(
  wire: Wire,
  name: string,
  location: string,
  stale = false,
): Promise<void> {
  const { client, access } = wire;
  const request = {
    method: "DELETE" as const,
    to: new URL(location),
    what: `upload to ${name}`,
    scopes: access.push(name),
    accept: [416],
  };
  const response = await client.request(request);
  await response.discard();
  if (response.status !== 416 || stale) return;
  // The registry `distribution` 3 deletes an upload only by its newest location, and a failed request
  // changes the location.
  const newest = await uploadStatus(wire, name, location);
  if (newest !== null) await cancelUpload(wire, name, newest.location, true);
}

async function appendChunk(
  { client, access }: Wire,
  name: string,
  session: UploadSession,
  chunk: UploadRest,
  signal?: AbortSignal,
): Promise<UploadSession> {
  const end = session.offset + chunk.length;
  const response = await client.request({
    method: "PATCH",
    to: new URL(session.location),
    what: `upload to ${name}`,
    scopes: access.push(name),
    headers: {
      "content-type": OCTETS,
      "content-length": String(chunk.length),
      "content-range": `${session.offset}-${end - 1}`,
    },
    body: chunk.body,
    storedBytes: chunk.length,
    signal,
  });
  await response.discard();
  return sessionOf(client, response, confirmedOffset(response) ?? end, session.minChunk);
}

async function finishUpload(
  { client, access }: Wire,
  name: string,
  session: UploadSession,
  blob: { digest: Digest; size: number },
  rest: UploadRest | null,
  signal?: AbortSignal,
): Promise<void> {
  const response = await client.request({
    method: "PUT",
    to: withDigest(session.location, blob.digest),
    what: blobLabel(name, blob.digest),
    scopes: access.push(name),
    headers: { "content-type": OCTETS, "content-length": String(rest?.length ?? 0) },
    body: rest?.body,
    accept: [400],
    storedBytes: blob.size,
    signal,
  });
  if (response.status === 400) throw digestVerdict(await response.failure());
  await response.discard();
  const stored = response.header("docker-content-digest");
  const sameAlgorithm =
    isDigest(stored) &&
    digestParts(stored).algorithm === digestParts(blob.digest).algorithm;
  if (sameAlgorithm && stored !== blob.digest) {
    throw new TransferError(
      "digestMismatch",
      `${blobLabel(name, blob.digest)}: ${client.origin.host} stored it as ${stored}`,
    );
  }
}

function sessionOf(
  client: RegistryClient,
  response: HttpResponse,
  offset: number,
  minChunk: number,
): UploadSession {
  const location = response.header("location");
  if (location === undefined)
    throw new TransferError(
      "invalid",
      `${client.origin.host} accepted an upload but named no address for it (no Location header): ` +
        "is it an OCI registry, or does a proxy remove headers?",
    );
  const least = Number(response.header("oci-chunk-min-length") ?? minChunk);
  return {
    location: client.resolve(location, response.url).href,
    offset,
    minChunk: Number.isSafeInteger(least) ? least : minChunk,
  };
}

/**
 * Parses `Range: 0-N` (some registries write `bytes=0-N`) to the number of bytes that the registry holds;
 * undefined when the header is missing or different. A fresh upload has `0-0`, which stands for no byte.
 */
function confirmedOffset(response: HttpResponse): number | undefined {
  const end = /^(?:bytes=)?0-(\d+)$/.exec(response.header("range")?.trim() ?? "")?.[1];
  if (end === undefined) return undefined;
  return end === "0" ? 0 : Number(end) + 1;
}

function withDigest(location: string, digest: Digest): URL {
  const url = new URL(location);
  url.search += `${url.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`;
  return url;
}

function digestVerdict(failure: TransferError): TransferError {
  return failure.codes?.includes("DIGEST_INVALID") === true
    ? new TransferError("digestMismatch", failure.message, { cause: failure })
    : failure;
}
