import { createHash } from "node:crypto";
import type { Budgets } from "../../domain/budgets.ts";
import { TransferError } from "../../domain/failure.ts";

/**
 * The progress of a listing: pages, entries, empty pages since the last entry, a short hash of that last entry, and
 * one of the cursor of an earlier page.
 */
type Progress = {
  pages: number;
  items: number;
  empty: number;
  last: string;
  mark: string;
};

/** The setting that bounds the entries of a listing. */
type Most = "maxTags" | "maxListed";
const SETTINGS: Record<Most, string> = { maxTags: "MAX_TAGS", maxListed: "MAX_LISTED" };

/**
 * What a listing is about (`what`, `host`), for messages, the advice to give if the listing fails, and its budgets;
 * `most` is the one that bounds its entries.
 */
export type Subject = {
  what: string;
  host: string;
  advice: string;
  most: Most;
  budgets: Budgets;
};

/** Entries that the pages of a list have at least on average; registries send pages of a hundred and more. */
const LEAST_A_PAGE = 10;

const FORM = /^(\d+)\.(\d+)\.(\d+)\.([\w-]*)(?:\.([\w-]*))?\|(.*)$/s;
const NOTHING: Progress = { pages: 0, items: 0, empty: 0, last: "", mark: "" };

/**
 * Splits a cursor into the progress of the listing and the position of the next page (`page`; null: the first).
 * A cursor of an older release is only a position, so its progress counts from 0.
 */
export function readCursor(cursor: string | null): {
  progress: Progress;
  page: string | null;
} {
  const [, pages, items, empty, last = "", mark = "", page] =
    FORM.exec(cursor ?? "") ?? [];
  if (page === undefined) return { progress: NOTHING, page: cursor };
  return {
    progress: {
      pages: Number(pages),
      items: Number(items),
      empty: Number(empty),
      last,
      mark,
    },
    page,
  };
}

/**
 * Builds the cursor of the page that follows a page with these items; `page` is its position. Throws when the pages
 * go round in a circle, stay empty or never end.
 */
export function nextCursor(
  before: Progress,
  items: readonly string[],
  page: string,
  subject: Subject,
): string {
  const { maxEmptyPages } = subject.budgets;
  const most = subject.budgets[subject.most];
  const newest = items.at(-1);
  const last = newest === undefined ? before.last : shortHash(newest);
  const pages = before.pages + 1;
  const position = shortHash(page);
  const progress = {
    pages,
    items: before.items + items.length,
    empty: items.length === 0 ? before.empty + 1 : 0,
    last,
    // The cursor after 1, 2, 4, 8, … pages: pages in a circle come back to it (Brent's algorithm).
    mark: isPowerOfTwo(pages) ? position : before.mark,
  };
  if (position === before.mark)
    throw endless(subject, progress, "leads back to a page before it");
  if (items.length > 0 && last === before.last)
    throw endless(subject, progress, "ends like the previous page");
  if (progress.empty >= maxEmptyPages)
    throw endless(
      subject,
      progress,
      `is the ${progress.empty}th empty page in a row (setting MAX_EMPTY_PAGES)`,
    );
  const limit = `the limit is ${most} entries (setting ${SETTINGS[subject.most]})`;
  if (progress.items >= most)
    throw endless(
      subject,
      progress,
      `brings the number of entries to ${progress.items}, ${limit}`,
    );
  if (pages >= most / LEAST_A_PAGE)
    throw endless(subject, progress, `is not the last, ${limit}`);
  return `${pages}.${progress.items}.${progress.empty}.${last}.${progress.mark}|${page}`;
}

const isPowerOfTwo = (count: number): boolean => Number.isInteger(Math.log2(count));

/** Hashes a text to a short one, so that the cursor stays short however long a registry's entries are. */
const shortHash = (text: string): string =>
  createHash("sha256").update(text).digest("base64url").slice(0, 16);

function endless(
  { what, host, advice }: Subject,
  { pages }: Progress,
  why: string,
): TransferError {
  return new TransferError(
    "invalid",
    `${what}: the registry ${host} never ends its pages (page ${pages} ${why}, and a next page exists): ` +
      `repair its paging, raise the setting if the list is right, or ${advice}`,
  );
}
