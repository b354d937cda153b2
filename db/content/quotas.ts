import { eq, sql } from "drizzle-orm";
import type { OverQuota, Quota } from "../../domain/quota.ts";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { project, repository, usage } from "../schema/content.ts";

type Repository = { id: number; projectId: string; name: string };

/** SQL: the bytes of all repositories of the project in the row. Drizzle would not qualify a column of one table. */
const usedByProject = sql<number>`(
  SELECT total(u.bytes) FROM usage u
  JOIN repository r ON r.id = u.repository_id
  WHERE r.project_id = project.name)`;

const limits = prepared((db) =>
  db
    .select({
      own: repository.quota,
      used: sql<number>`coalesce(${usage.bytes}, 0)`,
      project: project.quota,
      // The sum is worked out only where the project has a quota.
      usedInProject: sql<number>`iif(${project.quota} IS NULL, 0, ${usedByProject})`,
    })
    .from(repository)
    .innerJoin(project, eq(project.name, repository.projectId))
    .leftJoin(usage, eq(usage.repositoryId, repository.id))
    .where(eq(repository.id, sql.placeholder("id")))
    .prepare(),
);

/** Number of files that were beyond a quota, since the process opened the database. */
const refusals = prepared(() => ({ count: 0 }));
export const quotaRefusals = (db: DbOrTx): number => refusals(db).count;

/**
 * Returns the quota that files of `needed` bytes more in the repository would exceed; null: they fit. The
 * caller refuses files that do not fit. One that writes them asks in the transaction in which it does, so that two
 * cannot both take the last bytes.
 */
export function overQuota(
  db: DbOrTx,
  repository: Repository,
  needed: number,
): OverQuota | null {
  const over = findOver(db, repository, needed);
  if (over !== null) refusals(db).count += 1;
  return over;
}

function findOver(
  db: DbOrTx,
  { id, projectId, name }: Repository,
  needed: number,
): OverQuota | null {
  const found = needed > 0 ? limits(db).get({ id }) : undefined;
  if (found === undefined) return null;
  const { own, used, project: shared, usedInProject } = found;
  if (own !== null && used + needed > own)
    return {
      of: "repository",
      name: `${projectId}/${name}`,
      quota: own,
      used,
      needed,
    };
  if (shared !== null && usedInProject + needed > shared)
    return {
      of: "project",
      name: projectId,
      quota: shared,
      used: usedInProject,
      needed,
    };
  return null;
}

/** Returns how many bytes the files of repositories have, by the id of the repository; one without files is absent. */
export function usedBytes(
  db: DbOrTx,
  repositoryIds: readonly number[],
): Map<number, number> {
  const rows = db
    .select()
    .from(usage)
    .where(
      sql`${usage.repositoryId} IN (SELECT value FROM json_each(${JSON.stringify(repositoryIds)}))`,
    )
    .all();
  return new Map(rows.map(({ repositoryId, bytes }) => [repositoryId, bytes]));
}

/** Returns the quotas of all projects and what is used of them, by name. */
export function projectQuotas(db: DbOrTx): Map<string, Quota> {
  const rows = db
    .select({ name: project.name, quota: project.quota, used: usedByProject })
    .from(project)
    .all();
  return new Map(rows.map(({ name, ...quota }) => [name, quota]));
}

/** Returns the quota of a project and what is used of it; undefined for an unknown project. */
export const projectQuota = (db: DbOrTx, name: string): Quota | undefined =>
  db
    .select({ quota: project.quota, used: usedByProject })
    .from(project)
    .where(eq(project.name, name))
    .get();

/** Sets the quota of a project in bytes; null: no limit. What is stored stays, even if it is more. */
export function setProjectQuota(db: DbOrTx, name: string, quota: number | null): void {
  db.update(project).set({ quota }).where(eq(project.name, name)).run();
}
