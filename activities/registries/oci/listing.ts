import type { Budgets } from "../../../domain/budgets.ts";
import { limitsOfList } from "../../../domain/foreign/limits.ts";
import { isRecord } from "../../../domain/json.ts";
import { TransferError } from "../../../domain/failure.ts";
import { isImageName, isTag, type RegistryAddress } from "../../../domain/reference.ts";
import type { HttpResponse } from "../http-message.ts";
import type { Access } from "./access.ts";
import type { RegistryClient } from "./client.ts";
import { linkQuery } from "./link.ts";
import { nextCursor, readCursor, type Subject } from "../progress.ts";

const PAGE = 500;
/** Repositories that one answer may list: a registry without paging sends all of them at once. */
const MOST_A_PAGE = 100_000;
/** Letters of an item: the last one becomes part of a cursor. Longer names are those of no tag and no repository. */
const MOST_LETTERS = 1_000;
const CATALOG_SCOPES = ["registry:catalog:*"];
const NAME_PACKAGES = "name the packages to replicate with packageConstraints";
const NAME_VERSIONS = "name the versions to replicate with packageConstraints";

/**
 * One page of a listing, at most 500 items; `next` is an opaque cursor, null after the last page. A page may be empty
 * without being the last; a listing that never ends is an error.
 */
export type Page = { items: string[]; next: string | null };

export type Listing = {
  /**
   * Lists one page of the repositories under the registry's namespace, with names relative to it. Throws
   * `unsupported` when the registry does not list its repositories to this user.
   */
  listRepositories: (cursor: string | null, signal?: AbortSignal) => Promise<Page>;
  /** Lists one page of the tags of a repository; null when the repository does not exist. */
  listTags: (
    name: string,
    cursor: string | null,
    signal?: AbortSignal,
  ) => Promise<Page | null>;
};

export function createListing(
  client: RegistryClient,
  access: Access,
  address: RegistryAddress,
  budgets: Budgets,
): Listing {
  const { host } = client.origin;
  return {
    async listRepositories(cursor, signal) {
      const what = `list of repositories of ${host}`;
      const subject: Subject = {
        what,
        host,
        advice: NAME_PACKAGES,
        most: "maxListed",
        budgets,
      };
      const page = await listPage(cursor, "repositories", subject, (query, accept) =>
        client.request({
          method: "GET",
          to: `_catalog${query}`,
          what,
          scopes: CATALOG_SCOPES,
          accept,
          signal,
        }),
      );
      if (page === null) {
        throw new TransferError(
          "unsupported",
          `the registry ${host} does not list its repositories to this user (_catalog): ` +
            `check the login, or ${NAME_PACKAGES}`,
        );
      }
      const prefix = address.namespace === "" ? "" : `${address.namespace}/`;
      const inside = page.items
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length));
      return { items: inside.filter(isImageName), next: page.next };
    },

    async listTags(name, cursor, signal) {
      const what = `tags of ${name}`;
      const subject: Subject = {
        what,
        host,
        advice: NAME_VERSIONS,
        most: "maxTags",
        budgets,
      };
      const page = await listPage(cursor, "tags", subject, (query, accept) =>
        client.request({
          method: "GET",
          to: `${access.path(name)}/tags/list${query}`,
          what,
          scopes: access.pull(name),
          accept,
          signal,
        }),
      );
      return page === null ? null : { items: page.items.filter(isTag), next: page.next };
    },
  };
}

type Field = "tags" | "repositories";
type Ask = (query: string, accept: number[]) => Promise<HttpResponse>;
type Answer = { items: string[]; link: string | null };

/**
 * Reads one page of a listing; null when the registry refuses the first page. Throws when the pages repeat,
 * stay empty or never end.
 */
async function listPage(
  cursor: string | null,
  field: Field,
  subject: Subject,
  ask: Ask,
): Promise<Page | null> {
  const { progress, page: position } = readCursor(cursor);
  const page = await pageAt(position, field, subject, ask);
  return page === null || page.next === null
    ? page
    : { ...page, next: nextCursor(progress, page.items, page.next, subject) };
}

/**
 * Reads one page of a listing with the paging that the server supports. The cursor says how the previous page was read:
 * `link:` by the query of a Link header;
 * `part:` by such a query and the last item: its answer had more than a page and is read again, sorted and cut here;
 * `after:` by the last item, for a server that sends full pages without Link;
 * `whole:` by the last item, for a server that ignores `n` or `last`: the whole list is read again, sorted and cut
 * here.
 */
async function pageAt(
  cursor: string | null,
  field: Field,
  subject: Subject,
  ask: Ask,
): Promise<Page | null> {
  const { what } = subject;
  const list = async (query: string) =>
    readList(await ask(query, refusals(field)), field, subject);
  const wholeAgain = async () => (await list(""))?.items ?? gone(what);
  const { mode, position, after } = splitCursor(cursor);
  if (mode === "whole") return cut(await wholeAgain(), position);
  const isQuery = mode === "link" || mode === "part";
  const asked = isQuery ? position : pageQuery(mode === "after" ? position : null);
  const answer = await list(asked);
  if (answer === null) return cursor === null ? null : gone(what);
  const { items, link } = answer;
  if (isQuery || link !== null) return linkedPart(answer, asked, after);
  const last = items.at(-1);
  if (last === undefined || items.length < PAGE) return { items, next: null };
  if (mode === "after" && items.includes(position)) gone(what);
  if (mode === "after")
    return { items: items.slice(0, PAGE), next: `after:${items[PAGE - 1]}` };
  if (items.length > PAGE) return cut(items, "");
  const honoursLast = (await list(pageQuery(last)))?.items.includes(last) === false;
  return honoursLast ? { items, next: `after:${last}` } : cut(await wholeAgain(), "");
}

/**
 * Returns the statuses that say that a registry has no such list: for tags, that the repository is unknown; for
 * the catalog, that it is forbidden or not supported.
 */
function refusals(field: Field): number[] {
  return field === "tags" ? [404] : [401, 403, 404, 405, 501];
}

async function readList(
  response: HttpResponse,
  field: string,
  { what, most, budgets, advice }: Subject,
): Promise<Answer | null> {
  if (response.status >= 300) {
    await response.discard();
    return null;
  }
  const value = await response.json(
    limitsOfList(most === "maxTags" ? budgets.maxTags : MOST_A_PAGE),
    most === "maxTags" ? `raise MAX_TAGS if that is right, or ${advice}` : advice,
  );
  const list = isRecord(value) ? value[field] : undefined;
  if (list === null || Array.isArray(list)) {
    const items = (list ?? []).filter(
      (item) => typeof item === "string" && item.length <= MOST_LETTERS,
    );
    return { items, link: linkQuery(response) };
  }
  throw new TransferError(
    "invalid",
    `${what}: ${response.place.host} answered something other than JSON with a list "${field}": ` +
      "check that the url is that of an OCI registry",
  );
}

/**
 * Returns the items of an answer that follow `after` (null: all), at most a page, and then what its Link names. Only an
 * answer with more than a page is sorted.
 */
function linkedPart({ items, link }: Answer, asked: string, after: string | null): Page {
  const next = link === null || link === asked ? null : `link:${link}`;
  if (after === null && items.length <= PAGE) return { items, next };
  const part = cut(items, after ?? "");
  if (part.next === null) return { items: part.items, next };
  return {
    items: part.items,
    next: `part:${new URLSearchParams({ asked, after: part.items.at(-1) ?? "" })}`,
  };
}

function cut(all: readonly string[], after: string): Page {
  const rest = [...new Set(all)].filter((item) => item > after).sort();
  const items = rest.slice(0, PAGE);
  return { items, next: rest.length > PAGE ? `whole:${items.at(-1) ?? ""}` : null };
}

function pageQuery(last: string | null): string {
  return `?${new URLSearchParams(last === null ? { n: String(PAGE) } : { n: String(PAGE), last })}`;
}

type Position = {
  mode: "start" | "link" | "part" | "after" | "whole";
  position: string;
  /** The last item of a part; null in other modes. */
  after: string | null;
};

function splitCursor(cursor: string | null): Position {
  const mode = (["link", "part", "after", "whole"] as const).find((known) =>
    cursor?.startsWith(`${known}:`),
  );
  if (mode === undefined) return { mode: "start", position: "", after: null };
  const position = (cursor ?? "").slice(mode.length + 1);
  if (mode !== "part") return { mode, position, after: null };
  const part = new URLSearchParams(position);
  return { mode, position: part.get("asked") ?? "", after: part.get("after") ?? "" };
}

/** Throws the error for a listing that breaks off, since an incomplete listing must not count as a complete one. */
function gone(what: string): never {
  throw new TransferError(
    "server",
    `${what}: the registry broke off the list before its end: if that repeats, check the registry`,
  );
}
