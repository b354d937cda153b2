import { asc, eq } from "drizzle-orm";
import { auditBy, type By } from "../audit.ts";
import type { DbOrTx } from "../open.ts";
import { project } from "../schema/content.ts";

export type ProjectRow = typeof project.$inferSelect;
type NewProject = Pick<ProjectRow, "name" | "displayName" | "description"> &
  Partial<Pick<ProjectRow, "quota">>;

/** Inserts a project; returns false when the name is taken. */
export function insertProject(db: DbOrTx, values: NewProject, by: By): boolean {
  return (
    db
      .insert(project)
      .values({ ...values, ...auditBy(by) })
      .onConflictDoNothing()
      .run().changes > 0
  );
}

export function findProject(db: DbOrTx, name: string): ProjectRow | null {
  return db.select().from(project).where(eq(project.name, name)).get() ?? null;
}

export function listProjects(db: DbOrTx): ProjectRow[] {
  return db.select().from(project).orderBy(asc(project.name)).all();
}
