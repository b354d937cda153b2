import { asc, eq, sql } from "drizzle-orm";
import { newId } from "../../domain/ids.ts";
import type { By } from "../audit.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { prepared } from "../prepared.ts";
import { worker } from "../schema/workers.ts";

type WorkerRow = typeof worker.$inferSelect;

/** Inserts a worker; `seal` seals its secret and gets the new id. Returns null when the name is taken. */
export function insertWorker(
  db: Db,
  name: string,
  seal: (id: string) => string,
  { user, now }: By,
): string | null {
  return write(db, (tx) => {
    const taken = tx.select().from(worker).where(eq(worker.name, name)).get();
    if (taken) return null;
    const id = newId(now);
    tx.insert(worker)
      .values({ id, name, secret: seal(id), createdBy: user, createdDate: now })
      .run();
    return id;
  });
}

const byId = prepared((db) =>
  db
    .select()
    .from(worker)
    .where(eq(worker.id, sql.placeholder("id")))
    .prepare(),
);

export const findWorker = (db: DbOrTx, id: string): WorkerRow | null =>
  byId(db).get({ id }) ?? null;

export const listWorkers = (db: DbOrTx): WorkerRow[] =>
  db.select().from(worker).orderBy(asc(worker.name)).all();

/** Deletes a worker; returns its name, null when there is none. */
export const deleteWorker = (db: DbOrTx, id: string): string | null =>
  db.delete(worker).where(eq(worker.id, id)).returning({ name: worker.name }).get()
    ?.name ?? null;

export function noteWorkerSeen(
  db: DbOrTx,
  id: string,
  seen: { lastSeen: number; version?: string },
): void {
  db.update(worker).set(seen).where(eq(worker.id, id)).run();
}
