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

/** A tag or digest (`reference`) of a repository (`name`); `signal` cancels the requests about it. */
type Asked = { name: string; reference: string; signal: AbortSignal | undefined };

/**
 * Returns a function that finds out whether a manifest exists: by HEAD, else by GET, else by the list of tags.
 * Once the registry has refused such a request, the list is read first.
 */
export function createQuestion(means: Means) {
  const { manners } = means;
  return async function askManifest(
    name: string,
    reference: string,
    signal?: AbortSignal,
  ): Promise<Told<ManifestHead>> {
    const asked = { name, reference, signal };
    const early = manners.refusesManifests() ? await isListed(means, asked) : null;
    if (early === false) return { kind: "absent" };
    const which = early ? "listed" : "manifest";
    const head = await manners.ask(`HEAD ${which}`, () => askBy(means, "HEAD", asked));
    const told =
      head.kind === "untold"
        ? await manners.ask(`GET ${which}`, () => askBy(means, "GET", asked))
        : head;
    if (told.kind !== "untold" || early !== null) return told;
    return (await isListed(means, asked)) === false ? { kind: "absent" } : told;
  };
}

async function askBy(
  means: Means,
  method: "GET" | "HEAD",
  asked: Asked,
): Promise<Told<ManifestHead>> {
  const { name, reference, signal } = asked;
  const response = await means.read(method, name, reference, signal, REFUSALS);
  if (response.status === 404) return response.discard().then(() => ({ kind: "absent" }));
  if (response.status >= 400)
    return { kind: "untold", refusal: await response.failure() };
  if (method === "GET")
    return { kind: "there", value: await readHead(response, asked, means.host) };
  await response.discard();
  const digest = response.header("docker-content-digest");
  if (!isDigest(digest)) return askBy(means, "GET", asked);
  const size = Number(response.header("content-length") ?? 0);
  return { kind: "there", value: { digest, mediaType: typeOf(response), size } };
}

/** Reads the head of a manifest (digest, media type, size) from an answer with its bytes. */
async function readHead(
  response: HttpResponse,
  { name, reference }: Asked,
  host: string,
): Promise<ManifestHead> {
  const what = manifestLabel(name, reference);
  const bytes = await response.bytes(MANIFEST_LIMIT);
  const digest = checkedDigest(bytes, reference, response, `${what} of ${host}`);
  const contentType = response.header("content-type");
  const { mediaType } = parseManifest(bytes, digest, contentType, {
    what,
    shown: response.shown,
  });
  return { digest, mediaType, size: bytes.length };
}

/**
 * Whether the list of tags contains a tag; null when the registry does not list tags, and for a digest,
 * which no list contains.
 */
async function isListed(
  { listTags, manners }: Means,
  { name, reference, signal }: Asked,
): Promise<boolean | null> {
  if (isDigest(reference)) return null;
  const list = async () => {
    const told = await manners.ask("tags", () => allTags(name, listTags));
    if (told.kind === "untold") return null;
    return new Set(told.kind === "there" ? told.value : []);
  };
  const tags = await unlessAborted(manners.tags(name, list), signal);
  return tags && tags.has(reference);
}

const typeOf = (response: HttpResponse): string =>
  response.header("content-type")?.split(";")[0]?.trim() ?? "";

/**
 * Lists all tags of a repository: `absent` when the repository does not exist, `untold` when the registry
 * refuses to list them. Throws failures that may pass.
 */
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
