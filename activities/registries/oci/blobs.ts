import { TransferError } from "../../../domain/failure.ts";
import type { Digest } from "../../../domain/digest.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";

export type Blobs = {
  /** The blob's size, or null when the registry does not have it under this name. `size` is null where it does not say. */
  headBlob: (name: string, digest: Digest, signal?: AbortSignal) => Promise<{ size: number | null } | null>;
  /** Whether the registry has the whole blob under this name, as far as it says. */
  hasBlob: (name: string, blob: { digest: Digest; size: number }, signal?: AbortSignal) => Promise<boolean>;
  /** The blob from `offset` on, also where the server ignores Range. Throws `notFound` when it is missing. */
  openBlob: (name: string, blob: { digest: Digest; size: number }, offset: number, signal?: AbortSignal) => Promise<AsyncGenerator<Buffer, void, undefined>>;
};

export function createBlobs(client: RegistryClient, access: Access): Blobs {
  const request = (method: "GET" | "HEAD", name: string, digest: Digest, headers: Record<string, string>, signal: AbortSignal | undefined) =>
    client.request({
      method,
      to: `${access.path(name)}/blobs/${digest}`,
      what: blobLabel(name, digest),
      scopes: access.pull(name),
      headers,
      accept: [404, 416],
      signal,
    });

  async function headBlob(name: string, digest: Digest, signal?: AbortSignal): Promise<{ size: number | null } | null> {
    const response = await request("HEAD", name, digest, {}, signal);
    await response.discard();
    if (response.status === 404) return null;
    const length = response.header("content-length");
    return { size: length === undefined ? null : Number(length) };
  }

  return {
    headBlob,
    async hasBlob(name, { digest, size }, signal) {
      const found = await headBlob(name, digest, signal);
      return found !== null && (found.size === null || found.size === size);
    },
    async openBlob(name, { digest, size }, offset, signal) {
      // go-containerregistry's server knows no open end, and others no Range at all.
      const range = offset > 0 ? { range: `bytes=${offset}-${size - 1}` } : {};
      const ranged = await request("GET", name, digest, range, signal);
      if (ranged.status === 416) await ranged.discard();
      const response = ranged.status === 416 ? await request("GET", name, digest, {}, signal) : ranged;
      if (response.status === 404) {
        await response.discard();
        throw new TransferError("notFound", `${blobLabel(name, digest)} is missing in the registry ${client.origin.host}: push the image there again`);
      }
      const start = response.status === 206 ? Number(/^bytes (\d+)-/.exec(response.header("content-range") ?? "")?.[1] ?? offset) : 0;
      if (start > offset) throw new TransferError("invalid", `${blobLabel(name, digest)}: ${client.origin.host} answered another range than was asked`);
      return skip(response.stream(), offset - start);
    },
  };
}

export function blobLabel(name: string, digest: Digest): string {
  return `blob ${digest} of ${name}`;
}

async function* skip(source: AsyncGenerator<Buffer, void, undefined>, bytes: number): AsyncGenerator<Buffer, void, undefined> {
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
