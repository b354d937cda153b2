import pLimit from "p-limit";
import { type Budgets, BUDGETS } from "../../../domain/budgets.ts";
import { LIMITS, OverLimit } from "../../../domain/foreign/limits.ts";
import { TransferError } from "../../../domain/failure.ts";
import { type JsonObject, record } from "../../../domain/json.ts";
import { isNpmName } from "../../../domain/npm/package.ts";
import { strongest } from "../../../domain/artifact.ts";
import { packageNameOf } from "../../../domain/package-key.ts";
import type { PackageConstraint } from "../../../domain/task.ts";
import { nextCursor, readCursor, type Subject } from "../progress.ts";
import type { Closing, End, Listed, ListedPage, Lister } from "../contract.ts";
import { digestsOf, jsonOf, type NpmRegistry, openNpmRegistry } from "./registry.ts";

const PAGE = 500;
const SEARCHED_AT_ONCE = 250;
/** Names that are held in memory at once. */
const MOST_NAMES = 1_000_000;
const NAME_THEM = "name them with packageConstraints";
/** Maximum number of packages that one page covers. */
const PACKAGES_A_PAGE = 100;
/** Bounds how many packages are requested concurrently. */
const limit = pLimit(8);

/** The position of a listing: the index of the next package (`at`) and of its next version (`from`). */
type Position = { at: number; from: number };

/**
 * Opens a lister of the versions of the packages that an object names; without names, of all packages that the
 * registry lists (`/-/all`, else a search for everything).
 */
export function openLister(end: End): Lister & Closing {
  const registry = openNpmRegistry(end);
  let all: Promise<readonly PackageConstraint[]> | undefined;
  return {
    async list({ packages }, cursor, signal) {
      if (packages.length > 0) return listPage(registry, packages, cursor, signal);
      all ??= listNames(registry, end.budgets ?? BUDGETS, signal);
      return listPage(registry, await all, cursor, signal);
    },
    close: registry.close,
  };
}

async function listPage(
  registry: NpmRegistry,
  packages: readonly PackageConstraint[],
  cursor: string | null,
  signal: AbortSignal,
): Promise<ListedPage> {
  const { at, from }: Position =
    cursor === null ? { at: 0, from: 0 } : (JSON.parse(cursor) as Position);
  const page: ListedPage = { found: [], missing: [], next: null };
  const asked = packages.slice(at, at + PACKAGES_A_PAGE);
  const answers = await limit.map(asked, (each) => versionsOf(registry, each, signal));
  for (const [index, { found, missing, describe }] of answers.entries()) {
    const start = index === 0 ? from : 0;
    const room = PAGE - page.found.length;
    if (room === 0)
      return { ...page, next: JSON.stringify({ at: at + index, from: start }) };
    if (start === 0) page.missing.push(...missing);
    page.found.push(...found.slice(start, start + room).map(describe));
    if (start + room < found.length)
      return { ...page, next: JSON.stringify({ at: at + index, from: start + room }) };
  }
  const next = at + asked.length;
  return {
    ...page,
    next: next < packages.length ? JSON.stringify({ at: next, from: 0 }) : null,
  };
}

/** The names of versions that exist, what describes one of them for a listing, and what is missing. */
type Wanted = {
  found: string[];
  describe: (version: string) => Listed;
  missing: ListedPage["missing"];
};

/**
 * Returns the wanted versions that a package has (`found`), and those that it lacks (`missing`). Without a list
 * of wanted versions, all of them are wanted, in the order of the registry's document.
 */
async function versionsOf(
  registry: NpmRegistry,
  { packageKey, versions }: PackageConstraint,
  signal: AbortSignal,
): Promise<Wanted> {
  const name = packageNameOf(packageKey);
  const found = await registry.package(name, false, signal);
  const wanted =
    versions && versions.length > 0
      ? [...new Set(versions)]
      : [...(found?.versions.keys() ?? [])];
  const lacking =
    found === null || wanted.length === 0
      ? [""]
      : wanted.filter((version) => !found.versions.has(version));
  const missing = lacking.map((version) => ({
    name,
    version,
    reason: missingReason(registry, name, version),
  }));
  return {
    found: wanted.filter((version) => found?.versions.has(version)),
    describe(version) {
      const document = found?.versions.get(version) ?? {};
      return { name, version, size: null, digest: strongest(digestsOf(document)) };
    },
    missing,
  };
}

function missingReason({ base }: NpmRegistry, name: string, version: string): string {
  return version === ""
    ? `package ${name} is not in the registry ${base}, or has no versions: check the package's name`
    : `${name}@${version} is not in the registry ${base}: check the version`;
}

/**
 * Returns a constraint for each package of the registry. Throws `unsupported` when the registry does not list
 * its packages.
 */
async function listNames(
  registry: NpmRegistry,
  budgets: Budgets,
  signal: AbortSignal,
): Promise<readonly PackageConstraint[]> {
  const names =
    (await namesOfAll(registry, signal)) ??
    (await namesBySearch(registry, budgets, signal));
  if (names === null || names.length === 0) {
    throw new TransferError(
      "unsupported",
      `the registry ${registry.base} does not list its packages: ${NAME_THEM}`,
    );
  }
  return [...new Set(names)]
    .sort()
    .map((name) => ({ packageKey: `npm://${name}`, versions: null }));
}

/** Returns the names of all packages; null when the registry has no such list, or an empty or a too large one. */
async function namesOfAll(
  registry: NpmRegistry,
  signal: AbortSignal,
): Promise<string[] | null> {
  const what = "list of packages";
  const answer = await registry.ask("-/all", {
    method: "GET",
    what,
    accept: NOT_OFFERED,
    signal,
  });
  if (answer.status >= 300) return answer.discard().then(() => null);
  const all = await jsonOf(answer, what, LIMITS.packument).catch((error: unknown) => {
    if (error instanceof Error && error.cause instanceof OverLimit)
      return {} as JsonObject;
    throw error;
  });
  const names = Object.keys(all).filter(
    (name) => isNpmName(name) && typeof all[name] === "object",
  );
  return names.length > 0 ? names : null;
}

/**
 * Returns the names of all packages by search; null when the registry does not support search, or a search for
 * everything finds none. Throws when the registry lists fewer packages than it reports.
 */
async function namesBySearch(
  registry: NpmRegistry,
  budgets: Budgets,
  signal: AbortSignal,
): Promise<string[] | null> {
  const what = "search for all packages";
  const subject: Subject = {
    what,
    host: registry.host,
    advice: NAME_THEM,
    most: "maxListed",
    budgets: { ...budgets, maxListed: Math.min(budgets.maxListed, MOST_NAMES) },
  };
  const names: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const answer = await registry.ask(
      `-/v1/search?text=&size=${SEARCHED_AT_ONCE}&from=${names.length}`,
      {
        method: "GET",
        what,
        accept: NOT_OFFERED,
        signal,
      },
    );
    if (answer.status >= 300) return answer.discard().then(() => null);
    const { objects, total } = await jsonOf(answer, what, LIMITS.search);
    const found = (Array.isArray(objects) ? objects : [])
      .map((each: unknown) => record(record(each)["package"])["name"])
      .filter((name) => typeof name === "string");
    names.push(...found);
    if (typeof total !== "number" || total === 0) return null;
    if (names.length >= total) return names;
    if (found.length === 0)
      throw new TransferError(
        "invalid",
        `${what}: ${registry.host} reports ${registry.http.shown(String(total))} packages but lists ${names.length}: ` +
          NAME_THEM,
      );
    const { progress } = readCursor(cursor);
    cursor = nextCursor(progress, found, String(names.length), subject);
  }
}

const NOT_OFFERED = [400, 403, 404, 405, 501];
