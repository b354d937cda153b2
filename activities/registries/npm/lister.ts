import { setMaxListeners } from "node:events";
import { type Budgets, BUDGETS } from "../../../domain/budgets.ts";
import { LIMITS, OverLimit } from "../../../domain/foreign/limits.ts";
import { TransferError, toTransferError } from "../../../domain/failure.ts";
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
/** Packages that are requested concurrently. */
const AT_ONCE = 8;

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
  const end = Math.min(at + PACKAGES_A_PAGE, packages.length);
  for (let first = at, start = from; first < end; start = 0) {
    if (page.found.length === PAGE)
      return { ...page, next: JSON.stringify({ at: first, from: 0 }) };
    // A package with more versions than a page may fill this one, too, without the packages after it.
    const group = packages.slice(first, Math.min(first + (start > 0 ? 1 : AT_ONCE), end));
    const answers = await versionsOfAll(registry, group, start, signal);
    const next = addGroup(page, { at: first, from: start }, answers);
    if (next !== null) return { ...page, next: JSON.stringify(next) };
    first += group.length;
  }
  return {
    ...page,
    next: end < packages.length ? JSON.stringify({ at: end, from: 0 }) : null,
  };
}

/** Adds the versions of a group of packages to a page until it is full; returns the position to go on at, or null. */
function addGroup(
  page: ListedPage,
  { at, from }: Position,
  group: readonly Wanted[],
): Position | null {
  for (const [index, { found, count, missing }] of group.entries()) {
    const start = index === 0 ? from : 0;
    const room = PAGE - page.found.length;
    if (room === 0) return { at: at + index, from: start };
    if (start === 0) page.missing.push(...missing);
    for (const each of found.slice(0, room)) {
      if (each instanceof TransferError) throw each;
      page.found.push(each);
    }
    if (start + room < count) return { at: at + index, from: start + room };
  }
  return null;
}

/**
 * Asks for the versions of a group of packages at once, of the first one from its version `from` on. When one fails,
 * the others are given up.
 */
async function versionsOfAll(
  registry: NpmRegistry,
  group: readonly PackageConstraint[],
  from: number,
  signal: AbortSignal,
): Promise<Wanted[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  setMaxListeners(0, either);
  try {
    return await Promise.all(
      group.map((each, index) =>
        versionsOf(registry, each, index === 0 ? from : 0, either),
      ),
    );
  } catch (error) {
    failed.abort();
    throw error;
  }
}

/**
 * The wanted versions that a package has: how many (`count`), and at most a page of them (`found`; an error: why one
 * cannot be described), so that the package itself need not stay in memory. `missing`: those that it lacks.
 */
type Wanted = {
  found: (Listed | TransferError)[];
  count: number;
  missing: ListedPage["missing"];
};

/**
 * Returns the wanted versions of a package from the version `from` on. Without a list of wanted versions, all of them
 * are wanted, in the order of the registry's document.
 */
async function versionsOf(
  registry: NpmRegistry,
  { packageKey, versions }: PackageConstraint,
  from: number,
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
  const existing = wanted.filter((version) => found?.versions.has(version));
  return {
    found: existing
      .slice(from, from + PAGE)
      .map((version) => describe(name, version, () => found?.versions.get(version))),
    count: existing.length,
    missing,
  };
}

function describe(
  name: string,
  version: string,
  read: () => JsonObject | undefined,
): Listed | TransferError {
  try {
    return { name, version, size: null, digest: strongest(digestsOf(read() ?? {})) };
  } catch (error) {
    return toTransferError(error);
  }
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
