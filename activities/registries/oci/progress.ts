import { createHash } from "node:crypto";
import { TransferError } from "../../../domain/failure.ts";

/** Far more than people keep of one image, or images in one registry: more is a fault of the registry's paging. */
const MOST_ITEMS = 1_000_000;
/** Registries give pages of a hundred and more. */
const MOST_PAGES = 100_000;
/** Pages may be empty where a registry leaves out what a user must not see, but not for ever. */
const MOST_EMPTY_PAGES = 100;

/** How far a listing came: pages, entries, empty pages since the last entry, and a short hash of that. */
type Progress = { pages: number; items: number; empty: number; last: string };

/** What is listed, for messages, and what to do where it cannot be. */
export type Subject = { what: string; host: string; advice: string };

const FORM = /^(\d+)\.(\d+)\.(\d+)\.([^|]*)\|(.*)$/s;

/** A cursor of one page and the progress that it carries along; one of an older release carries none. */
export function readCursor(cursor: string | null): { progress: Progress; page: string | null } {
  const [, pages, items, empty, last = "", page] = FORM.exec(cursor ?? "") ?? [];
  if (page === undefined) return { progress: { pages: 0, items: 0, empty: 0, last: "" }, page: cursor };
  return { progress: { pages: Number(pages), items: Number(items), empty: Number(empty), last }, page };
}

/** The cursor of the page after one with these items. Throws where pages go on and bring nothing, or never end. */
export function nextCursor(before: Progress, items: readonly string[], page: string, subject: Subject): string {
  const newest = items.at(-1);
  const last = newest === undefined ? before.last : shortHash(newest);
  const empty = items.length === 0 ? before.empty + 1 : 0;
  const progress = { pages: before.pages + 1, items: before.items + items.length, empty, last };
  const repeats = items.length > 0 && last === before.last;
  if (repeats) throw endless(subject, progress, "ends as the one before does");
  if (empty >= MOST_EMPTY_PAGES) throw endless(subject, progress, `is the ${empty}th in turn that is empty`);
  if (progress.pages >= MOST_PAGES) throw endless(subject, progress, "is not the last");
  if (progress.items >= MOST_ITEMS) throw endless(subject, progress, `makes it ${progress.items} entries`);
  return `${progress.pages}.${progress.items}.${progress.empty}.${last}|${page}`;
}

/** Whatever a registry says, the cursor stays short. */
const shortHash = (text: string): string => createHash("sha256").update(text).digest("base64url").slice(0, 16);

function endless({ what, host, advice }: Subject, { pages }: Progress, why: string): TransferError {
  const fault = `${what}: the registry ${host} never ends its pages (page ${pages} ${why}, and there is a next one)`;
  return new TransferError("invalid", `${fault}: have its paging mended (Link of its answers), or ${advice}`);
}
