import { TransferError } from "../../../domain/failure.ts";
import type { Digest } from "../../../domain/digest.ts";
import type { HttpResponse } from "../http.ts";
import { verified } from "../verified.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import { type Manners, orRefused, REFUSALS, type Told } from "./told.ts";

export type Blobs = {
  /** Whether the registry has the blob under this name; `size` is null where it does not say it. */
  askBlob: (name: string, digest: Digest, signal?: AbortSignal) => Promise<Told<{ size: number | null }>>;
  /**
   * The blob's size, or null when the registry does not have it under this name; throws where it does not tell. `size`
   * is null where it does not say it.
   */
  headBlob: (name: string, digest: Digest, signal?: AbortSignal) => Promise<{ size: number | null } | null>;
  /** Whether the registry has the whole blob under this name, as far as it tells. */
  hasBlob: (name: string, blob: WantedBlob, signal?: AbortSignal) => Promise<boolean>;
  /** The blob, checked; `misstated`: the error where its size is another than was said. */
  readBlob: (
    name: string,
    blob: WantedBlob & { size: number },
    misstated: (actual: number) => TransferError,
    signal?: AbortSignal,
  ) => AsyncGenerator<Buffer, void, undefined>;
  /** The blob from `offset` on, also where the server ignores Range. Throws `notFound` when it is missing. */
  openBlob: (
    name: string,
    blob: WantedBlob,
    offset: number,
    signal?: AbortSignal,
  ) => Promise<AsyncGenerator<Buffer, void, undefined>>;
};

/** `size` null: not known, which only a blob that is read from its beginning may be. */
export type WantedBlob = { digest: Digest; size: number | null };

export function createBlobs(client: RegistryClient, access: Access, manners: Manners): Blobs {
  const request = (
    method: "GET" | "HEAD",
    name: string,
    digest: Digest,
    headers: Record<string, string>,
    accept: readonly number[],
    signal: AbortSignal | undefined,
  ) =>
    client.request({
      method,
      to: `${access.path(name)}/blobs/${digest}`,
      what: blobLabel(name, digest),
      scopes: access.pull(name),
      headers,
      accept,
      signal,
    });
  const get = (name: string, digest: Digest, headers: Record<string, string>, signal: AbortSignal | undefined) =>
    request("GET", name, digest, headers, [404, 416], signal);

  async function askBy(
    method: "GET" | "HEAD",
    name: string,
    digest: Digest,
    signal: AbortSignal | undefined,
  ): Promise<Told<{ size: number | null }>> {
    const response = await request(
      method,
      name,
      digest,
      method === "GET" ? { range: "bytes=0-0" } : {},
      REFUSALS,
      signal,
    );
    const refused = response.status >= 400 && response.status !== 404 && response.status !== 416;
    if (refused) return { kind: "untold", refusal: await response.failure() };
    await response.discard();
    return response.status === 404 ? { kind: "absent" } : { kind: "there", value: { size: sizeOf(response) } };
  }

  async function askBlob(name: string, digest: Digest, signal?: AbortSignal): Promise<Told<{ size: number | null }>> {
    const head = await manners.ask("HEAD blob", () => askBy("HEAD", name, digest, signal));
    return head.kind === "untold" ? manners.ask("GET blob", () => askBy("GET", name, digest, signal)) : head;
  }

  /** `told`: the length of what comes, as far as that is told. */
  async function open(name: string, { digest, size }: WantedBlob, offset: number, signal?: AbortSignal) {
    // go-containerregistry's server knows no open end, and others no Range at all.
    const ranged = await get(
      name,
      digest,
      offset > 0 && size !== null ? { range: `bytes=${offset}-${size - 1}` } : {},
      signal,
    );
    // A part of a coded body cannot be decoded.
    const whole = ranged.status === 416 || (ranged.status === 206 && ranged.coding !== null);
    if (whole) await ranged.discard();
    const response = whole ? await get(name, digest, {}, signal) : ranged;
    if (response.status === 404) {
      await response.discard();
      throw new TransferError(
        "notFound",
        `${blobLabel(name, digest)} is missing in the registry ${client.origin.host}: push the image there again`,
      );
    }
    const start =
      response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.header("content-range") ?? "")?.[1] ?? offset) : 0;
    if (start > offset)
      throw new TransferError(
        "invalid",
        `${blobLabel(name, digest)}: ${client.origin.host} answered another range than was asked`,
      );
    // A server that takes a layer's own compression for a coding sends just the layer.
    const isLayersOwn = response.coding !== null && Number(response.header("content-length")) === size;
    const told = isLayersOwn ? size : response.coding === null && offset === 0 ? lengthOf(response) : null;
    return { stream: skip(response.stream({ raw: isLayersOwn }), offset - start), told };
  }

  return {
    askBlob,
    headBlob: async (name, digest, signal) => orRefused(await askBlob(name, digest, signal)),
    async hasBlob(name, { digest, size }, signal) {
      const told = await askBlob(name, digest, signal);
      return told.kind === "there" && (told.value.size === null || size === null || told.value.size === size);
    },
    async *readBlob(name, { digest, size }, misstated, signal) {
      const { stream, told } = await open(name, { digest, size }, 0, signal);
      yield* verified(stream, { digest, size, told, misstated }, `${blobLabel(name, digest)} of ${client.origin.host}`);
    },
    openBlob: async (name, blob, offset, signal) => (await open(name, blob, offset, signal)).stream,
  };
}

function lengthOf(response: HttpResponse): number | null {
  const length = response.header("content-length");
  return length === undefined ? null : Number(length);
}

/** The blob's size as an answer says it: that of a coded body is none of the blob's. */
function sizeOf(response: HttpResponse): number | null {
  if (response.coding !== null) return null;
  if (response.status !== 206) return response.status === 416 ? null : lengthOf(response);
  const size = /\/(\d+)$/.exec(response.header("content-range") ?? "")?.[1];
  return size === undefined ? null : Number(size);
}

export function blobLabel(name: string, digest: Digest): string {
  return `blob ${digest} of ${name}`;
}

async function* skip(
  source: AsyncGenerator<Buffer, void, undefined>,
  bytes: number,
): AsyncGenerator<Buffer, void, undefined> {
  let left = bytes;
  for await (const chunk of source) {
    if (left >= chunk.length) {
      left -= chunk.length;
      continue;
    }
    yield left === 0 ? chunk : chunk.subarray(left);
    left = 0;
  }
}
