import { TransferError } from "../../../domain/failure.ts";
import { isDigest, type Digest } from "../../../domain/digest.ts";
import { isTag } from "../../../domain/reference.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import type { Listing } from "./listing.ts";
import { ACCEPT_MANIFESTS, parseManifest, readMediaType, type Manifest } from "./manifest.ts";
import { checkedDigest, MANIFEST_LIMIT, manifestLabel } from "./manifest-digest.ts";
import { createQuestion, type ManifestHead } from "./question.ts";
import { type Manners, orRefused, type Told } from "./told.ts";

export type Manifests = {
  /** Whether there is such a tag or digest; asked in every way that the registry has. */
  askManifest: (name: string, reference: string, signal?: AbortSignal) => Promise<Told<ManifestHead>>;
  /** Null when there is no such tag or digest; throws where the registry does not tell. */
  headManifest: (name: string, reference: string, signal?: AbortSignal) => Promise<ManifestHead | null>;
  /** Throws `notFound` when there is none; the bytes have the digest that is answered. */
  getManifest: (name: string, reference: string, signal?: AbortSignal) => Promise<Manifest>;
  /** The same without a look at what it names, for lists that may name anything. */
  getDocument: (name: string, reference: string, signal?: AbortSignal) => Promise<ManifestDocument>;
  /**
   * Verified: the registry says the digest, or is asked for it. `indexesSubject` = it keeps the list of what is
   * attached.
   */
  putManifest: (
    name: string,
    reference: string,
    manifest: ManifestDocument,
    signal?: AbortSignal,
  ) => Promise<{ indexesSubject: boolean }>;
};

export type ManifestDocument = Pick<Manifest, "digest" | "mediaType" | "bytes">;

export function createManifests(
  client: RegistryClient,
  access: Access,
  { listTags }: Pick<Listing, "listTags">,
  manners: Manners,
): Manifests {
  const { host } = client.origin;
  const pathOf = (name: string, reference: string) => {
    if (!isTag(reference) && !isDigest(reference))
      throw new TransferError("invalid", `"${reference.slice(0, 300)}" is neither a tag nor a digest`);
    return `${access.path(name)}/manifests/${reference}`;
  };
  const read = (
    method: "GET" | "HEAD",
    name: string,
    reference: string,
    signal: AbortSignal | undefined,
    accept: readonly number[],
  ) =>
    client.request({
      method,
      to: pathOf(name, reference),
      what: manifestLabel(name, reference),
      scopes: access.pull(name),
      headers: { accept: ACCEPT_MANIFESTS },
      accept,
      signal,
    });

  const askManifest = createQuestion({ read, listTags, manners, host });
  const headManifest = async (name: string, reference: string, signal?: AbortSignal) =>
    orRefused(await askManifest(name, reference, signal));

  async function fetchBytes(
    name: string,
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<{ bytes: Buffer; digest: Digest; contentType: string | undefined }> {
    const what = manifestLabel(name, reference);
    const response = await read("GET", name, reference, signal, [404]);
    if (response.status === 404) {
      await response.discard();
      throw new TransferError(
        "notFound",
        `${what} is not in the registry ${host}: it was deleted, or its name is wrong`,
      );
    }
    const bytes = await response.bytes(MANIFEST_LIMIT);
    const digest = checkedDigest(bytes, reference, response, `${what} of ${host}`);
    return { bytes, digest, contentType: response.header("content-type") };
  }

  async function getManifest(name: string, reference: string, signal?: AbortSignal): Promise<Manifest> {
    const { bytes, digest, contentType } = await fetchBytes(name, reference, signal);
    return parseManifest(bytes, digest, contentType, manifestLabel(name, reference));
  }

  async function getDocument(name: string, reference: string, signal?: AbortSignal): Promise<ManifestDocument> {
    const { bytes, digest, contentType } = await fetchBytes(name, reference, signal);
    return { bytes, digest, mediaType: readMediaType(bytes, contentType) };
  }

  async function putManifest(name: string, reference: string, manifest: ManifestDocument, signal?: AbortSignal) {
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
    const told = isDigest(said) ? null : await askManifest(name, reference, signal);
    const stored = isDigest(said) ? said : told?.kind === "there" ? told.value.digest : undefined;
    // Where it says nothing at all its answer to the writing counts.
    if (stored !== manifest.digest && told?.kind !== "untold") {
      throw new TransferError(
        "digestMismatch",
        `${what}: ${host} stored it as ${stored ?? "nothing"} instead of ${manifest.digest}`,
      );
    }
    if (isTag(reference)) manners.wrote(name, reference);
    return { indexesSubject: response.header("oci-subject") !== undefined };
  }

  return { askManifest, headManifest, getManifest, getDocument, putManifest };
}
