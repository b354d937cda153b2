import { isDigest, type Digest } from "../../../domain/digest.ts";
import { toTransferError } from "../../../domain/failure.ts";
import type { HttpResponse } from "../http-message.ts";
import { unlessAborted } from "../unless-aborted.ts";
import type { Listing, Page } from "./listing.ts";
import { parseManifest } from "./manifest.ts";
import { checkedDigest, MANIFEST_LIMIT, manifestLabel } from "./manifest-digest.ts";
import { type Manners, REFUSALS, type Told } from "./told.ts";

export type ManifestHead = { digest: Digest; mediaType: string; size: number };

type Means = {
  read: (
    method: "GET" | "HEAD",
    name: string,
    reference: string,
    signal: AbortSignal | undefined,
    accept: readonly number[],
  ) => Promise<HttpResponse>;
  listTags: Listing["listTags"];
  manners: Manners;
  host: string;
};

/**
 * Creates the question whether a manifest exists: by HEAD; if that is refused, by GET; if that is refused, by the list
 * of tags.
 */
export function createQuestion({ read, listTags, manners, host }: Means) {
  async function askBy(
    method: "GET" | "HEAD",
    name: string,
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<Told<ManifestHead>> {
    const response = await read(method, name, reference, signal, REFUSALS);
    if (response.status === 404)
      return response.discard().then(() => ({ kind: "absent" }));
    if (response.status >= 400)
      return { kind: "untold", refusal: await response.failure() };
    if (method === "GET")
      return { kind: "there", value: await headOf(response, name, reference) };
    await response.discard();
    const digest = response.header("docker-content-digest");
    if (!isDigest(digest)) return askBy("GET", name, reference, signal);
    return {
      kind: "there",
      value: {
        digest,
        mediaType: typeOf(response),
        size: Number(response.header("content-length") ?? 0),
      },
    };
  }

  async function headOf(
    response: HttpResponse,
    name: string,
    reference: string,
  ): Promise<ManifestHead> {
    const what = manifestLabel(name, reference);
    const bytes = await response.bytes(MANIFEST_LIMIT);
    const digest = checkedDigest(bytes, reference, response, `${what} of ${host}`);
    const { mediaType } = parseManifest(
      bytes,
      digest,
      response.header("content-type"),
      what,
    );
    return { digest, mediaType, size: bytes.length };
  }

  /**
   * Whether the list of tags contains a tag; null when the registry does not list its tags, or for a digest, which no
   * list contains.
   */
  async function isListed(
    name: string,
    reference: string,
    signal: AbortSignal | undefined,
  ): Promise<boolean | null> {
    if (isDigest(reference)) return null;
    const list = async () => {
      const told = await manners.ask("tags", () => allTags(name, listTags));
      return told.kind === "untold"
        ? null
        : new Set(told.kind === "there" ? told.value : []);
    };
    const tags = await unlessAborted(manners.tags(name, list), signal);
    return tags && tags.has(reference);
  }

  return async function askManifest(
    name: string,
    reference: string,
    signal?: AbortSignal,
  ): Promise<Told<ManifestHead>> {
    const early = manners.refusesManifests()
      ? await isListed(name, reference, signal)
      : null;
    if (early === false) return { kind: "absent" };
    const which = early ? "listed" : "manifest";
    const head = await manners.ask(`HEAD ${which}`, () =>
      askBy("HEAD", name, reference, signal),
    );
    const told =
      head.kind === "untold"
        ? await manners.ask(`GET ${which}`, () => askBy("GET", name, reference, signal))
        : head;
    if (told.kind !== "untold" || early !== null) return told;
    return (await isListed(name, reference, signal)) === false
      ? { kind: "absent" }
      : told;
  };
}

const typeOf = (response: HttpResponse): string =>
  response.header("content-type")?.split(";")[0]?.trim() ?? "";

/** Lists all tags of a name; `untold` when the registry refuses to list them. */
async function allTags(
  name: string,
  listTags: Listing["listTags"],
): Promise<Told<string[]>> {
  const tags: string[] = [];
  try {
    let cursor: string | null = null;
    do {
      const page: Page | null = await listTags(name, cursor);
      if (page === null) return { kind: "absent" };
      tags.push(...page.items);
      cursor = page.next;
    } while (cursor !== null);
    return { kind: "there", value: tags };
  } catch (error) {
    const refusal = toTransferError(error);
    if (refusal.retryable || refusal.isPutOff) throw error;
    return { kind: "untold", refusal };
  }
}
