import type { Context } from "hono";
import { findPackage, type PackageRow } from "../../../db/packages/versions.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import type { ApiDeps, Env } from "../../deps.ts";
import { NpmError } from "./errors.ts";
import type { Packuments } from "./packuments.ts";

/**
 * What every handler gets. `base`: URL at which clients reach the repository, without a slash at
 * the end.
 */
export type NpmRequest = {
  c: Context<Env>;
  deps: ApiDeps;
  repository: RepositoryRow;
  packuments: Packuments;
  base: string;
};

export function baseOf(c: Context<Env>, { projectId, name }: RepositoryRow): string {
  return `${c.get("client").origin}/npm/${projectId}/${name}`;
}

export function packageOf(
  { deps, repository }: Pick<NpmRequest, "deps" | "repository">,
  name: string,
): PackageRow {
  const found = findPackage(deps.db, repository.id, name);
  if (found) return found;
  throw new NpmError(
    404,
    `there is no package ${name} in ${repository.projectId}/${repository.name}`,
  );
}
