import { createHash } from "node:crypto";
import { TransferError } from "../../../domain/failure.ts";

/**
 * Maximum number of entries in a listing: far more than the tags of one image or the images of one registry.
 * With more, the paging of the registry counts as faulty.
 */
const MOST_ITEMS = 1_000_000;
/** Maximum number of pages in a listing; registries send pages of a hundred entries and more. */
const MOST_PAGES = 100_000;
/** Maximum number of consecutive empty pages; a registry that hides entries from a user may send some. */
const MOST_EMPTY_PAGES = 100;

/**
 * The progress of a listing: pages, entries, empty pages since the last entry, and a short hash of that
 * last entry.
 */
type Progress = { pages: number; items: number; empty: number; last: string };

/** What a listing is about (`what`, `host`), for messages, and the advice to give if the listing fails. */
export type Subject = { what: string; host: string; advice: string };

const FORM = /^(\d+)\.(\d+)\.(\d+)\.([^|]*)\|(.*)$/s;

/**
 * Splits a cursor into the progress of the listing and the position of the next page (`page`; null: the first).
 * A cursor of an older release is only a position, so its progress counts from 0.
 */
export function readCursor(cursor: string | null): {
  progress: Progress;
  page: string | null;
} {
  const [, pages, items, empty, last = "", page] = FORM.exec(cursor ?? "") ?? [];
  if (page === undefined)
    return { progress: { pages: 0, items: 0, empty: 0, last: "" }, page: cursor };
  return {
    progress: { pages: Number(pages), items: Number(items), empty: Number(empty), last },
    page,
  };
}

/**
 * Builds the cursor of the page that follows a page with these items. Throws when the pages repeat,
 * stay empty or never end.
 */
export function nextCursor(
  before: Progress,
  items: readonly string[],
  page: string,
  subject: Subject,
): string {
  const newest = items.at(-1);
  const last = newest === undefined ? before.last : shortHash(newest);
  const empty = items.length === 0 ? before.empty + 1 : 0;
  const progress = {
    pages: before.pages + 1,
    items: before.items + items.length,
    empty,
    last,
  };
  const repeats = items.length > 0 && last === before.last;
  if (repeats) throw endless(subject, progress, "ends like the previous page");
  if (empty >= MOST_EMPTY_PAGES)
    throw endless(subject, progress, `is the ${empty}th empty page in a row`);
  if (progress.pages >= MOST_PAGES) throw endless(subject, progress, "is not the last");
  if (progress.items >= MOST_ITEMS)
    throw endless(subject, progress, `brings the number of entries to ${progress.items}`);
  return `${progress.pages}.${progress.items}.${progress.empty}.${last}|${page}`;
}

/** Hashes an entry to a short text, so that the cursor stays short however long a registry's entries are. */
const shortHash = (text: string): string =>
  createHash("sha256").update(text).digest("base64url").slice(0, 16);

function endless(
  { what, host, advice }: Subject,
  { pages }: Progress,
  why: string,
): TransferError {
  const fault = `${what}: the registry ${host} never ends its pages (page ${pages} ${why}, and a next page exists)`;
  return new TransferError(
    "invalid",
    `${fault}: repair its paging (the Link header of its answers), or ${advice}`,
  );
}
