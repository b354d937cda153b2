import { TransferError } from "../../../domain/failure.ts";
import { isDigest, type Digest } from "../../../domain/digest.ts";
import { isTag } from "../../../domain/reference.ts";
import type { Shown } from "../foreign.ts";
import type { HttpResponse } from "../http-message.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import type { Listing } from "./listing.ts";
import {
  ACCEPT_MANIFESTS,
  parseManifest,
  readMediaType,
  type Manifest,
} from "./manifest.ts";
import { checkedDigest, MANIFEST_LIMIT, manifestLabel } from "./manifest-digest.ts";
import { createQuestion, type ManifestHead } from "./question.ts";
import { type Manners, orRefused, type Told } from "./told.ts";

export type Manifests = {
  /**
   * Finds out whether a tag or digest exists: tries one way after the other until the registry tells. `untold`:
   * no way made it tell.
   */
  askManifest: (
    name: string,
    reference: string,
    signal?: AbortSignal,
  ) => Promise<Told<ManifestHead>>;
  /**
   * Returns the head of a manifest, or null when the tag or digest does not exist; throws when the
   * registry does not report whether it exists.
   */
  headManifest: (
    name: string,
    reference: string,
    signal?: AbortSignal,
  ) => Promise<ManifestHead | null>;
  /**
   * Reads a manifest, whose bytes match the returned digest. Throws `notFound` when the tag or digest
   * does not exist.
   */
  getManifest: (
    name: string,
    reference: string,
    signal?: AbortSignal,
  ) => Promise<Manifest>;
  /**
   * Reads a document under a tag or digest that need not be a manifest of a known type; `mediaType` is "" when
   * the document is not a JSON object. Throws `notFound` when the tag or digest does not exist.
   */
  getDocument: (
    name: string,
    reference: string,
    signal?: AbortSignal,
  ) => Promise<ManifestDocument>;
  /**
   * Writes a manifest. Throws `digestMismatch` when the registry then reports another digest, or that it does
   * not have the manifest. `indexesSubject`: the registry itself lists the manifest as attached to its subject.
   */
  putManifest: (
    name: string,
    reference: string,
    manifest: ManifestDocument,
    signal?: AbortSignal,
  ) => Promise<{ indexesSubject: boolean }>;
};

export type ManifestDocument = Pick<Manifest, "digest" | "mediaType" | "bytes">;

type Wire = { client: RegistryClient; access: Access };
type Stored = {
  bytes: Buffer;
  digest: Digest;
  contentType: string | undefined;
  shown: Shown;
};

export function createManifests(
  client: RegistryClient,
  access: Access,
  { listTags }: Pick<Listing, "listTags">,
  manners: Manners,
): Manifests {
  const wire: Wire = { client, access };
  const askManifest = createQuestion({
    read: (method, name, reference, signal, accept) =>
      read(wire, method, name, reference, signal, accept),
    listTags,
    manners,
    host: client.origin.host,
  });

  return {
    askManifest,
    headManifest: async (name, reference, signal) =>
      orRefused(await askManifest(name, reference, signal)),
    async getManifest(name, reference, signal) {
      const { bytes, digest, contentType, shown } = await fetchBytes(
        wire,
        name,
        reference,
        signal,
      );
      const what = manifestLabel(name, reference);
      return parseManifest(bytes, digest, contentType, { what, shown });
    },
    async getDocument(name, reference, signal) {
      const { bytes, digest, contentType } = await fetchBytes(
        wire,
        name,
        reference,
        signal,
      );
      return { bytes, digest, mediaType: readMediaType(bytes, contentType) };
    },
    async putManifest(name, reference, manifest, signal) {
      const response = await write(wire, name, reference, manifest, signal);
      const said = response.header("docker-content-digest");
      const told = isDigest(said) ? null : await askManifest(name, reference, signal);
      const stored = isDigest(said)
        ? said
        : told?.kind === "there"
          ? told.value.digest
          : undefined;
      // If the registry refuses to report what it has stored, its success answer to the PUT is trusted.
      if (stored !== manifest.digest && told?.kind !== "untold") {
        const what = `${manifestLabel(name, reference)}: ${client.origin.host}`;
        throw new TransferError(
          "digestMismatch",
          `${what} stored it as ${stored ?? "nothing"} instead of ${manifest.digest}`,
        );
      }
      if (isTag(reference)) manners.wrote(name, reference);
      return { indexesSubject: response.header("oci-subject") !== undefined };
    },
  };
}

function pathOf({ access }: Wire, name: string, reference: string): string {
  if (!isTag(reference) && !isDigest(reference))
    throw new TransferError(
      "invalid",
      `"${reference.slice(0, 300)}" is neither a tag nor a digest`,
    );
  return `${access.path(name)}/manifests/${reference}`;
}

async function read(
  wire: Wire,
  method: "GET" | "HEAD",
  name: string,
  reference: string,
  signal: AbortSignal | undefined,
  accept: readonly number[],
): Promise<HttpResponse> {
  return wire.client.request({
    method,
    to: pathOf(wire, name, reference),
    what: manifestLabel(name, reference),
    scopes: wire.access.pull(name),
    headers: { accept: ACCEPT_MANIFESTS },
    accept,
    signal,
  });
}

async function fetchBytes(
  wire: Wire,
  name: string,
  reference: string,
  signal: AbortSignal | undefined,
): Promise<Stored> {
  const { host } = wire.client.origin;
  const what = manifestLabel(name, reference);
  const response = await read(wire, "GET", name, reference, signal, [404]);
  if (response.status === 404) {
    await response.discard();
    throw new TransferError(
      "notFound",
      `${what} is not in the registry ${host}: it was deleted, or its name is wrong`,
    );
  }
  const bytes = await response.bytes(MANIFEST_LIMIT);
  const digest = checkedDigest(bytes, reference, response, `${what} of ${host}`);
  return {
    bytes,
    digest,
    contentType: response.header("content-type"),
    shown: response.shown,
  };
}

async function write(
  wire: Wire,
  name: string,
  reference: string,
  manifest: ManifestDocument,
  signal: AbortSignal | undefined,
): Promise<HttpResponse> {
  const response = await wire.client.request({
    method: "PUT",
    to: pathOf(wire, name, reference),
    what: manifestLabel(name, reference),
    scopes: wire.access.push(name),
    headers: { "content-type": manifest.mediaType },
    body: manifest.bytes,
    signal,
  });
  await response.discard();
  return response;
}
