import {
  findVersionOrTag,
  packagesById,
  type SearchRow,
  searchRows,
} from "../../../db/packages/npm/find.ts";
import type { PackageRow } from "../../../db/packages/versions.ts";
import { turn } from "../../../db/turns.ts";
import type { NpmRequest } from "./request.ts";

/** Number of packages to look at before other work gets its turn. */
const STEP = 500;
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
  for (let after = "", page: SearchRow[] = []; ; await turn("answer")) {
    page = searchRows(deps.db, repository.id, after, STEP);
    for (const row of page.filter((each) => matches(each, words))) {
      if (total >= from && found.length < size) found.push(row.id);
      total += 1;
    }
    if (page.length < STEP) break;
    after = page.at(-1)?.name ?? "";
  }
  const objects = packagesById(deps.db, found).map((owner) => resultOf(request, owner));
  return c.json({ objects, total, time: new Date(deps.now()).toUTCString() });
}

function matches(
  { name, description, keywords }: SearchRow,
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
    description,
    keywords,
    date: new Date(latest?.createdDate ?? 0).toISOString(),
    links: {},
    author,
    license,
    publisher: { username: latest?.createdBy ?? "" },
    maintainers: [],
  };
  return { package: about, ...SCORE };
}
