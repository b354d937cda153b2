import { attachedTo, isImageName } from "../../../../domain/reference.ts";
import type { OciRegistry } from "../registry.ts";
import { isAttachment } from "./attachment.ts";
import { type ImageEnd, together } from "./copy.ts";

const PAGE = 500;
/** Number of repositories whose first tags are requested concurrently. */
const NAMES_AT_ONCE = 8;
/**
 * Number of tags whose manifests are inspected concurrently, because their names alone do not show
 * whether they are attachments.
 */
const TAGS_AT_ONCE = 8;
/**
 * Maximum number of repositories that one call covers before it returns a page: a catalog may be long,
 * and its repositories empty.
 */
const NAMES_A_CALL = 200;

export type ImageListing = {
  registry: OciRegistry;
  /** Images to list; null: all repositories that the registry lists under its namespace. */
  names: readonly string[] | null;
  /** Requested tags by name; for a name without an entry or with an empty one, all tags are listed. */
  versions?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The cursor of the previous page; null for the first page. */
  cursor: string | null;
  signal?: AbortSignal | undefined;
};

/**
 * One page of images. `missing`: named images that the registry does not have, or that have no tags of their
 * own. `attached`: tags that are not images of their own and are copied with the image that they are attached
 * to. A page may be empty without being the last.
 */
type ImagePage = {
  artifacts: ImageArtifact[];
  missing: string[];
  attached: ImageArtifact[];
  next: string | null;
};
export type ImageArtifact = { name: string; tag: string };

/**
 * The position of a listing: the page of the catalog, the next repository in that page, and the page of
 * its tags.
 */
type Position = { catalog: string | null; name: string | null; tags: string | null };

/**
 * A page of one repository's tags; `attached`: those that are attached to other images. Null when the
 * repository does not exist or its name is invalid.
 */
type Tags = { items: string[]; attached: string[]; next: string | null } | null;

/**
 * Lists one page of images, at most 500. Tags that are attached to other images of their repository (fallback tags of
 * referrers, tags of cosign) are left out as parts of those images; their manifests decide, not their names alone. A
 * tag in `versions` is listed without a check. Throws TransferError.
 */
export async function listImagePage({
  registry,
  names,
  versions = {},
  cursor,
  signal,
}: ImageListing): Promise<ImagePage> {
  const start = readCursor(cursor);
  const batch =
    names === null
      ? await registry.listRepositories(start.catalog, signal)
      : { items: [...names], next: null };
  const ahead = [...new Set(batch.items)]
    .sort()
    .filter((name) => start.name === null || name >= start.name);
  const now = ahead.slice(0, NAMES_A_CALL);
  const page: ImagePage = { artifacts: [], missing: [], attached: [], next: null };
  const tagsOf = (name: string, from: string | null) =>
    imageTags(
      registry,
      name,
      Object.hasOwn(versions, name) ? (versions[name] ?? []) : [],
      from,
      signal,
    );

  for (let at = 0; at < now.length; at += NAMES_AT_ONCE) {
    const group = now
      .slice(at, at + NAMES_AT_ONCE)
      .map((name) => ({ name, from: name === start.name ? start.tags : null }));
    const firsts = await Promise.all(group.map(({ name, from }) => tagsOf(name, from)));
    for (const [index, { name, from }] of group.entries()) {
      const rest = await addName(page, name, from, firsts[index] ?? null, tagsOf);
      if (rest.full)
        return {
          ...page,
          next: writeCursor({ catalog: start.catalog, name, tags: rest.from }),
        };
      if (rest.empty && from === null && names !== null) page.missing.push(name);
    }
  }
  const following = ahead[now.length];
  if (following !== undefined)
    page.next = writeCursor({ catalog: start.catalog, name: following, tags: null });
  else if (batch.next !== null)
    page.next = writeCursor({ catalog: batch.next, name: null, tags: null });
  return page;
}

/**
 * Adds the tags of a repository to the page until the page is full (`full`); `from` is then the page of tags to
 * continue with. `empty`: no tag was added.
 */
async function addName(
  page: ImagePage,
  name: string,
  start: string | null,
  first: Tags,
  tagsOf: (name: string, from: string | null) => Promise<Tags>,
): Promise<{ full: boolean; empty: boolean; from: string | null }> {
  let from = start;
  let empty = true;
  for (let tags = first; tags !== null; tags = await tagsOf(name, from)) {
    if (page.artifacts.length > 0 && page.artifacts.length + tags.items.length > PAGE)
      return { full: true, empty: false, from };
    page.artifacts.push(...tags.items.map((tag) => ({ name, tag })));
    page.attached.push(...tags.attached.map((tag) => ({ name, tag })));
    empty &&= tags.items.length === 0;
    from = tags.next;
    if (from === null) break;
  }
  return { full: false, empty, from: null };
}

async function imageTags(
  registry: OciRegistry,
  name: string,
  versions: readonly string[],
  from: string | null,
  signal: AbortSignal | undefined,
): Promise<Tags> {
  if (versions.length > 0) {
    const begin = Number(from ?? 0);
    const items = [...new Set(versions)].slice(begin, begin + PAGE);
    return {
      items,
      attached: [],
      next: begin + PAGE < versions.length ? String(begin + PAGE) : null,
    };
  }
  const page = isImageName(name) ? await registry.listTags(name, from, signal) : null;
  if (page === null) return null;
  const attached = await attachedTags({ registry, name }, page.items, signal);
  return {
    items: page.items.filter((tag) => !attached.has(tag)),
    attached: [...attached],
    next: page.next,
  };
}

/**
 * Returns the tags that are attached to other images; only tags that are named like attachments are
 * inspected.
 */
async function attachedTags(
  end: ImageEnd,
  tags: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Set<string>> {
  const found = new Set<string>();
  const named = tags.filter((tag) => attachedTo(tag) !== null);
  await together(
    named,
    TAGS_AT_ONCE,
    async (tag) => void ((await isAttachment(end, tag, signal)) && found.add(tag)),
  );
  return found;
}

function writeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

function readCursor(cursor: string | null): Position {
  if (cursor === null) return { catalog: null, name: null, tags: null };
  return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8")) as Position;
}
