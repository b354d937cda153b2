import { TransferError } from "../../../domain/failure.ts";
import { digestParts, isDigest, type Digest } from "../../../domain/digest.ts";
import { isTag } from "../../../domain/reference.ts";
import type { HttpResponse } from "../http.ts";
import { digestOf } from "../verified.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import { ACCEPT_MANIFESTS, parseManifest, type Manifest } from "./manifest.ts";

export const MANIFEST_LIMIT = 8 * 1024 * 1024;

export type ManifestHead = { digest: Digest; mediaType: string; size: number };

export type Manifests = {
  /** Null when there is no such tag or digest. */
  headManifest: (name: string, reference: string, signal?: AbortSignal) => Promise<ManifestHead | null>;
  /** Throws `notFound` when there is none; the bytes have the digest that is answered. */
  getManifest: (name: string, reference: string, signal?: AbortSignal) => Promise<Manifest>;
  /** Verified: the registry says the digest, or is asked for it. `indexesSubject` = it keeps the list of what is attached. */
  putManifest: (name: string, reference: string, manifest: ManifestToPut, signal?: AbortSignal) => Promise<{ indexesSubject: boolean }>;
};

export type ManifestToPut = Pick<Manifest, "digest" | "mediaType" | "bytes">;

export function createManifests(client: RegistryClient, access: Access): Manifests {
  const { host } = client.origin;
  const pathOf = (name: string, reference: string) => {
    if (!isTag(reference) && !isDigest(reference)) throw new TransferError("invalid", `"${reference.slice(0, 300)}" is neither a tag nor a digest`);
    return `${access.path(name)}/manifests/${reference}`;
  };
  const read = (method: "GET" | "HEAD", name: string, reference: string, signal: AbortSignal | undefined, accept: number[]) =>
    client.request({
      method,
      to: pathOf(name, reference),
      what: manifestLabel(name, reference),
      scopes: access.pull(name),
      headers: { accept: ACCEPT_MANIFESTS },
      accept,
      signal,
    });

  async function headManifest(name: string, reference: string, signal?: AbortSignal): Promise<ManifestHead | null> {
    const response = await read("HEAD", name, reference, signal, [404]);
    await response.discard();
    if (response.status === 404) return null;
    const digest = response.header("docker-content-digest");
    const mediaType = response.header("content-type")?.split(";")[0]?.trim() ?? "";
    const size = Number(response.header("content-length") ?? 0);
    if (isDigest(digest)) return { digest, mediaType, size };
    const manifest = await getManifest(name, reference, signal);
    return { digest: manifest.digest, mediaType: manifest.mediaType, size: manifest.bytes.length };
  }

  async function getManifest(name: string, reference: string, signal?: AbortSignal): Promise<Manifest> {
    const what = manifestLabel(name, reference);
    const response = await read("GET", name, reference, signal, [404]);
    if (response.status === 404) {
      await response.discard();
      throw new TransferError("notFound", `${what} is not in the registry ${host}: it was deleted, or its name is wrong`);
    }
    const bytes = await response.bytes(MANIFEST_LIMIT);
    const digest = checkedDigest(bytes, reference, response, `${what} of ${host}`);
    return parseManifest(bytes, digest, response.header("content-type"), what);
  }

  async function putManifest(name: string, reference: string, manifest: ManifestToPut, signal?: AbortSignal) {
    const what = manifestLabel(name, reference);
    const response = await client.request({
      method: "PUT",
      to: pathOf(name, reference),
      what,
      scopes: access.push(name),
      headers: { "content-type": manifest.mediaType },
      body: manifest.bytes,
      signal,
    });
    await response.discard();
    const said = response.header("docker-content-digest");
    const stored = isDigest(said) ? said : (await headManifest(name, reference, signal))?.digest;
    if (stored !== manifest.digest) {
      throw new TransferError("digestMismatch", `${what}: ${host} stored it as ${stored ?? "nothing"} instead of ${manifest.digest}`);
    }
    return { indexesSubject: response.header("oci-subject") !== undefined };
  }

  return { headManifest, getManifest, putManifest };
}

export function manifestLabel(name: string, reference: string): string {
  return isDigest(reference) ? `manifest ${name}@${reference}` : `image ${name}:${reference}`;
}

function checkedDigest(bytes: Buffer, reference: string, response: HttpResponse, what: string): Digest {
  const said = response.header("docker-content-digest");
  const expected = isDigest(reference) ? reference : isDigest(said) ? said : undefined;
  const digest = digestOf(bytes, expected === undefined ? "sha256" : digestParts(expected).algorithm);
  if (expected !== undefined && digest !== expected) {
    throw new TransferError("digestMismatch", `${what}: its bytes have the digest ${digest}, not ${expected}: the copy there is corrupt; push it again`);
  }
  return digest;
}
