import type { DetailFilter } from "../../db/records/details.ts";
import { parsePackageKey } from "../../domain/package-key.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { ExecutionStatus } from "../../domain/vocabulary.ts";
import type { PageQuery } from "../http/envelope.ts";

export type DetailQuery = PageQuery & {
  packageName?: string | undefined;
  repoName?: string | undefined;
  clusterName?: string | undefined;
  path?: string | undefined;
  status?: ExecutionStatus | undefined;
  artifactName?: string | undefined;
  version?: string | undefined;
};

/**
 * Turns a query into conditions on details; the record's snapshot resolves names of repositories
 * and clusters. Returns null for a query that names nothing but the status. An empty text is not a
 * condition.
 */
export function toFilter(
  query: DetailQuery,
  { objects, clusters }: RunSnapshot,
): DetailFilter | null {
  const { status, version, repoName, clusterName, packageName, path, artifactName } =
    query;
  const filter: DetailFilter = {
    status,
    version: version || undefined,
    objects: indexesOf(objects, ({ localRepoName }) =>
      localRepoName.startsWith(repoName ?? ""),
    ),
    clusterIds:
      indexesOf(clusters, ({ name }) => name.startsWith(clusterName ?? ""))?.flatMap(
        (i) => clusters[i]?.id ?? [],
      ) ?? null,
    packages: packageName
      ? (parsePackageKey(packageName)?.name ?? packageName)
      : undefined,
    files: path ? (path.startsWith("/") ? path : `/${path}`) : undefined,
    artifacts: artifactName || undefined,
  };
  const { status: _status, objects: someObjects, clusterIds, ...texts } = filter;
  const asks =
    someObjects !== null ||
    clusterIds !== null ||
    Object.values(texts).some((text) => text !== undefined);
  return asks ? filter : null;
}

/**
 * Returns the indexes of the entries for which `test` is true; null if it is true for all, and so
 * is not a condition.
 */
function indexesOf<T>(list: readonly T[], test: (entry: T) => boolean): number[] | null {
  const found = list.flatMap((entry, i) => (test(entry) ? [i] : []));
  return found.length === list.length ? null : found;
}
