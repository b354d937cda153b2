import { asc, eq } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";
import { project } from "../schema/content.ts";

export type ProjectRow = typeof project.$inferSelect;
export type NewProject = Pick<ProjectRow, "name" | "displayName" | "description">;

/** False when the name is taken. */
export function insertProject(db: DbOrTx, values: NewProject, { user, now }: { user: string; now: number }): boolean {
  const audit = { createdBy: user, createdDate: now, lastModifiedBy: user, lastModifiedDate: now };
  return (
    db
      .insert(project)
      .values({ ...values, ...audit })
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
