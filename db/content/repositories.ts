import { and, asc, eq, type SQL, sql } from "drizzle-orm";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { type Audit, auditBy, type By, changedBy } from "../audit.ts";
import type { DbOrTx } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { prepared } from "../prepared.ts";
import { repository } from "../schema/content.ts";
import { task, taskObject } from "../schema/tasks.ts";

export type RepositoryRow = typeof repository.$inferSelect;
type Optional = "acceptedRealms" | "allowOverwrite" | "protocol" | "quota";
type NewRepository = Omit<RepositoryRow, "id" | Optional | keyof Audit> &
  Partial<Pick<RepositoryRow, Optional>>;

/** Returns the additional data with which the secret of a linked repository is sealed. */
export const secretOwner = ({
  projectId,
  name,
}: Pick<RepositoryRow, "projectId" | "name">): string =>
  `repository:${projectId}/${name}`;

/**
 * Inserts a repository; returns false when the name is taken. Throws when its project does not
 * exist.
 */
export function insertRepository(db: DbOrTx, values: NewRepository, by: By): boolean {
  return (
    db
      .insert(repository)
      .values({ ...values, ...auditBy(by) })
      .onConflictDoNothing()
      .run().changes > 0
  );
}

export function updateRepository(
  db: DbOrTx,
  id: number,
  changes: Partial<NewRepository>,
  by: By,
): void {
  db.update(repository)
    .set({ ...changes, ...changedBy(by) })
    .where(eq(repository.id, id))
    .run();
}

/** Deletes the row of a repository whose nodes have been deleted. */
export function deleteRepositoryRow(db: DbOrTx, id: number): void {
  db.delete(repository).where(eq(repository.id, id)).run();
}

const byName = prepared((db) => {
  const { placeholder } = sql;
  return db
    .select()
    .from(repository)
    .where(
      and(
        eq(repository.projectId, placeholder("projectId")),
        eq(repository.name, placeholder("name")),
      ),
    )
    .prepare();
});

export function findRepository(
  db: DbOrTx,
  projectId: string,
  name: string,
): RepositoryRow | null {
  return byName(db).get({ projectId, name }) ?? null;
}

/** Conditions on a list of repositories; `name`: prefix of the name. */
type RepositoryFilter = {
  projectId: string;
  name?: string | undefined;
  type?: RepositoryType | undefined;
};

function matching({ projectId, name, type }: RepositoryFilter): SQL | undefined {
  return and(
    eq(repository.projectId, projectId),
    name ? startsWith(repository.name, name) : undefined,
    type && eq(repository.type, type),
  );
}

export function listRepositories(db: DbOrTx, filter: RepositoryFilter): RepositoryRow[] {
  return db
    .select()
    .from(repository)
    .where(matching(filter))
    .orderBy(asc(repository.name))
    .all();
}

export function pageRepositories(
  db: DbOrTx,
  filter: RepositoryFilter,
  offset: number,
  limit: number,
): { total: number; repositories: RepositoryRow[] } {
  const repositories = db
    .select()
    .from(repository)
    .where(matching(filter))
    .orderBy(asc(repository.name))
    .limit(limit)
    .offset(offset)
    .all();
  const counted = db
    .select({ n: sql<number>`count(*)` })
    .from(repository)
    .where(matching(filter))
    .get();
  return { total: counted?.n ?? 0, repositories };
}

/** Returns the names of the tasks that replicate a repository, for the error that lists them. */
export function tasksOfRepository(db: DbOrTx, projectId: string, name: string): string[] {
  const rows = db
    .select({ name: task.name })
    .from(taskObject)
    .innerJoin(task, eq(task.key, taskObject.taskKey))
    .where(and(eq(task.projectId, projectId), eq(taskObject.localRepoName, name)))
    .groupBy(task.name)
    .orderBy(asc(task.name))
    .all();
  return rows.map((row) => row.name);
}
