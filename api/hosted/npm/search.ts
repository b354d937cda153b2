import {
  findVersionOrTag,
  packagesById,
  type SearchRow,
  searchRows,
  type SearchTexts,
  searchTexts,
} from "../../../db/packages/npm/find.ts";
import type { PackageRow } from "../../../db/packages/versions.ts";
import { turn } from "../../../db/turns.ts";
import { byBytes } from "../by-bytes.ts";
import type { NpmRequest } from "./request.ts";

/** Number of packages, and bytes of their documents, to look at before other work gets its turn. */
const STEP = 500;
const STEP_BYTES = 1024 * 1024;
/** Maximum length of what a result says of a package by a field of its document. */
const MOST_TEXT = 10_000;
const MOST_RESULTS = 250;

/**
 * Answers `npm search`: finds the packages of the repository in whose name, description or keywords every
 * word of the search text occurs, sorted by name, and returns the part that `from` and `size` select.
 */
export async function search(request: NpmRequest): Promise<Response> {
  const { c, deps, repository } = request;
  const words = (c.req.query("text") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const from = numberOf(c.req.query("from"), 0, Number.MAX_SAFE_INTEGER);
  const size = numberOf(c.req.query("size"), 20, MOST_RESULTS);
  const found: number[] = [];
  let total = 0;
  for (let after = "", page: SearchRow[] = []; ;) {
    page = searchRows(deps.db, repository.id, after, STEP);
    const shown = page.map(({ version, bytes }) => ({ id: version, bytes }));
    for (const versions of byBytes(shown, STEP_BYTES)) {
      const texts = searchTexts(deps.db, versions);
      for (const row of texts.filter((each) => matches(each, words))) {
        if (total >= from && found.length < size) found.push(row.id);
        total += 1;
      }
      await turn("answer");
    }
    if (page.length < STEP) break;
    after = page.at(-1)?.name ?? "";
  }
  const objects: unknown[] = [];
  for (const owner of packagesById(deps.db, found)) {
    objects.push(resultOf(request, owner));
    await turn("answer");
  }
  return c.json({ objects, total, time: new Date(deps.now()).toUTCString() });
}

function matches(
  { name, description, keywords }: SearchTexts,
  words: readonly string[],
): boolean {
  const text = `${name}\n${description}\n${keywords}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function numberOf(text: string | undefined, otherwise: number, most: number): number {
  return text !== undefined && /^\d{1,9}$/.test(text)
    ? Math.min(Number(text), most)
    : otherwise;
}

/** The score of a search result in npm's format: every package matches equally well. */
const SCORE = {
  score: { final: 1, detail: { quality: 1, popularity: 1, maintenance: 1 } },
  searchScore: 1,
};

function resultOf({ deps }: NpmRequest, { id, name }: PackageRow) {
  const latest = findVersionOrTag(deps.db, id, "latest");
  const { description, keywords, author, license } = latest?.document ?? {};
  const about = {
    name,
    scope: name.startsWith("@") ? name.slice(1, name.indexOf("/")) : "unscoped",
    version: latest?.name,
    description:
      typeof description === "string"
        ? description.slice(0, MOST_TEXT)
        : short(description),
    keywords: short(keywords),
    date: new Date(latest?.createdDate ?? 0).toISOString(),
    links: {},
    author: short(author),
    license: short(license),
    publisher: { username: latest?.createdBy ?? "" },
    maintainers: [],
  };
  return { package: about, ...SCORE };
}

/** Leaves out what is too long for a list. */
const short = (value: unknown): unknown =>
  JSON.stringify(value ?? null).length > MOST_TEXT ? undefined : value;
