import type { Budgets } from "../../../domain/budgets.ts";
import { TransferError } from "../../../domain/failure.ts";
import type { Digest } from "../../../domain/digest.ts";
import type { HttpResponse } from "../http-message.ts";
import { ending, startOf, withoutFirst } from "../ranges.ts";
import { verified } from "../verified.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import { type Manners, orRefused, REFUSALS, type Told } from "./told.ts";

export type Blobs = {
  /** Asks whether the repository `name` has the blob; `size` is null when the registry does not report it. */
  askBlob: (
    name: string,
    digest: Digest,
    signal?: AbortSignal,
  ) => Promise<Told<{ size: number | null }>>;
  /**
   * Returns the size of a blob in the repository `name` (`size` null: not reported), or null when the
   * blob is missing. Throws when the registry does not report whether it has the blob.
   */
  headBlob: (
    name: string,
    digest: Digest,
    signal?: AbortSignal,
  ) => Promise<{ size: number | null } | null>;
  /**
   * Whether the registry reports that the repository `name` has the blob, with the expected size if
   * both sizes are known.
   */
  hasBlob: (name: string, blob: WantedBlob, signal?: AbortSignal) => Promise<boolean>;
  /** Reads and verifies the blob. `misstated` builds the error for content with the right digest but another size. */
  readBlob: (
    name: string,
    blob: WantedBlob & { size: number },
    misstated: (actual: number) => TransferError,
    signal?: AbortSignal,
  ) => AsyncGenerator<Buffer, void, undefined>;
  /**
   * Opens the blob and returns its bytes from `offset` on, even if the server ignores Range. Throws
   * `notFound` when the blob is missing.
   */
  openBlob: (
    name: string,
    blob: WantedBlob,
    offset: number,
    signal?: AbortSignal,
  ) => Promise<AsyncGenerator<Buffer, void, undefined>>;
};

/**
 * A blob that is asked for or read. `size` null: not known; the blob is then requested whole, also to read it
 * from an offset.
 */
type WantedBlob = { digest: Digest; size: number | null };

type Wire = { client: RegistryClient; access: Access; maxUnsized: number };
type Request = {
  method: "GET" | "HEAD";
  headers?: Record<string, string>;
  accept: readonly number[];
};

export function createBlobs(
  client: RegistryClient,
  access: Access,
  manners: Manners,
  { maxUnsized }: Budgets,
): Blobs {
  const wire: Wire = { client, access, maxUnsized };

  async function askBlob(
    name: string,
    digest: Digest,
    signal?: AbortSignal,
  ): Promise<Told<{ size: number | null }>> {
    const head = await manners.ask("HEAD blob", () =>
      askBy(wire, "HEAD", name, digest, signal),
    );
    return head.kind === "untold"
      ? manners.ask("GET blob", () => askBy(wire, "GET", name, digest, signal))
      : head;
  }

  return {
    askBlob,
    headBlob: async (name, digest, signal) =>
      orRefused(await askBlob(name, digest, signal)),
    async hasBlob(name, { digest, size }, signal) {
      const told = await askBlob(name, digest, signal);
      return (
        told.kind === "there" &&
        (told.value.size === null || size === null || told.value.size === size)
      );
    },
    async *readBlob(name, { digest, size }, misstated, signal) {
      const { stream, told } = await open(wire, name, { digest, size }, 0, signal);
      yield* verified(
        stream,
        { digest, size, told, misstated },
        `${blobLabel(name, digest)} of ${client.origin.host}`,
      );
    },
    openBlob: async (name, blob, offset, signal) =>
      (await open(wire, name, blob, offset, signal)).stream,
  };
}

async function send(
  { client, access }: Wire,
  name: string,
  digest: Digest,
  signal: AbortSignal | undefined,
  request: Request,
): Promise<HttpResponse> {
  const to = `${access.path(name)}/blobs/${digest}`;
  return client.request({
    ...request,
    to,
    what: blobLabel(name, digest),
    scopes: access.pull(name),
    signal,
  });
}

async function askBy(
  wire: Wire,
  method: "GET" | "HEAD",
  name: string,
  digest: Digest,
  signal: AbortSignal | undefined,
): Promise<Told<{ size: number | null }>> {
  const headers: Record<string, string> = method === "GET" ? { range: "bytes=0-0" } : {};
  const response = await send(wire, name, digest, signal, {
    method,
    headers,
    accept: REFUSALS,
  });
  const refused =
    response.status >= 400 && response.status !== 404 && response.status !== 416;
  if (refused) return { kind: "untold", refusal: await response.failure() };
  await response.discard();
  return response.status === 404
    ? { kind: "absent" }
    : { kind: "there", value: { size: sizeOf(response) } };
}

/**
 * The bytes of a blob from an offset on. `told`: the length of the whole blob according to the answer,
 * null when unknown.
 */
type OpenedBlob = {
  stream: AsyncGenerator<Buffer, void, undefined>;
  told: number | null;
};

async function open(
  wire: Wire,
  name: string,
  { digest, size }: WantedBlob,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<OpenedBlob> {
  const { host } = wire.client.origin;
  const { maxUnsized } = wire;
  const response = await getFrom(wire, name, { digest, size }, offset, signal);
  if (response.status === 404) {
    await response.discard();
    throw new TransferError(
      "notFound",
      `${blobLabel(name, digest)} is missing in the registry ${host}: push the image there again`,
    );
  }
  const start = startOf(response) ?? offset;
  if (start > offset) {
    await response.discard();
    throw new TransferError(
      "invalid",
      `${blobLabel(name, digest)}: ${host} sent a different byte range than requested: ` +
        "check for a proxy that changes the Range header",
    );
  }
  // Some servers declare the layer's own compression as Content-Encoding. The body is the layer itself
  // all the same and must not be decoded.
  const isLayersOwn =
    response.coding !== null && Number(response.header("content-length")) === size;
  const told = isLayersOwn
    ? size
    : response.coding === null && offset === 0
      ? lengthOf(response)
      : null;
  // Beyond the expected size, a blob is read to find out whether that or its content is wrong.
  const most = (size ?? told ?? 0) + maxUnsized;
  const where = `${blobLabel(name, digest)}: ${host}`;
  const sent = ending(response.stream({ raw: isLayersOwn }), most, maxUnsized, where);
  return { stream: withoutFirst(sent, offset - start), told };
}

/**
 * Requests the blob from `offset` on, or the whole blob when its size is unknown or the registry does not
 * support the range.
 */
async function getFrom(
  wire: Wire,
  name: string,
  { digest, size }: WantedBlob,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const whole: Request = { method: "GET", accept: [404, 416] };
  // The range states its end, because go-containerregistry's server does not support open-ended ranges.
  const ranged: Request =
    offset > 0 && size !== null
      ? { ...whole, headers: { range: `bytes=${offset}-${size - 1}` } }
      : whole;
  const response = await send(wire, name, digest, signal, ranged);
  // A range of a body that has a Content-Encoding cannot be decoded, so the whole blob is requested.
  const isUseless =
    response.status === 416 || (response.status === 206 && response.coding !== null);
  if (!isUseless) return response;
  await response.discard();
  return send(wire, name, digest, signal, whole);
}

function lengthOf(response: HttpResponse): number | null {
  const length = response.header("content-length");
  return length === undefined ? null : Number(length);
}

/**
 * Returns the size of the blob that an answer states. Null when it states none, or when its body has a
 * Content-Encoding: the length is then not that of the blob.
 */
function sizeOf(response: HttpResponse): number | null {
  if (response.coding !== null) return null;
  if (response.status !== 206) return response.status === 416 ? null : lengthOf(response);
  const size = /\/(\d+)$/.exec(response.header("content-range") ?? "")?.[1];
  return size === undefined ? null : Number(size);
}

export function blobLabel(name: string, digest: Digest): string {
  return `blob ${digest} of ${name}`;
}
