import { and, asc, desc, eq, type SQL, sql } from "drizzle-orm";
import { newId } from "../../domain/ids.ts";
import type { ClusterType } from "../../domain/vocabulary.ts";
import { forgetAbsence } from "../pending/cursors.ts";
import { auditBy, type By, changedBy } from "../audit.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { startsWith } from "../prefix.ts";
import { cluster } from "../schema/tasks.ts";
import { endCheck } from "./cluster-checks.ts";
import { tasksOfCluster } from "./tasks.ts";

export type ClusterRow = typeof cluster.$inferSelect;
type ClusterValues = Pick<
  typeof cluster.$inferInsert,
  | "url"
  | "protocol"
  | "username"
  | "acceptedRealms"
  | "certificate"
  | "insecureSkipVerify"
  | "appId"
  | "accessKey"
  | "udpPort"
  | "detectType"
>;
type NewCluster = ClusterValues & {
  name: string;
  type: ClusterType;
  ownerTaskKey: string | null;
};

/**
 * Inserts a cluster; `seal` seals its secret and gets the new id, to which the seal is bound.
 * Returns the obstacle when the name is taken or a CENTER already exists.
 */
export function insertCluster(
  db: Db,
  values: NewCluster,
  seal: (id: string) => string | null,
  by: By,
): { id: string } | { taken: "name" | "center"; by: string } {
  return write(db, (tx) => {
    if (findClusterByName(tx, values.name)) return { taken: "name", by: values.name };
    const center = values.type === "CENTER" ? findCenter(tx) : null;
    if (center) return { taken: "center", by: center.name };
    const id = newId(by.now);
    tx.insert(cluster)
      .values({ ...values, ...auditBy(by), id, secret: seal(id), status: "HEALTHY" })
      .run();
    return { id };
  });
}

/** Updates a cluster; `secret` undefined: the stored secret stays. */
export function updateCluster(
  db: DbOrTx,
  id: string,
  values: ClusterValues & { secret?: string | null },
  by: By,
): void {
  db.update(cluster)
    .set({ ...values, ...changedBy(by) })
    .where(eq(cluster.id, id))
    .run();
  endCheck(db, id);
}

/**
 * Records the result of a connection test; `errorReason` null = healthy. A cluster that was changed
 * or deleted meanwhile stays as it is.
 */
export function setClusterHealth(
  db: DbOrTx,
  { id, lastModifiedDate }: Pick<ClusterRow, "id" | "lastModifiedDate">,
  errorReason: string | null,
  now: number,
): void {
  const status = errorReason === null ? "HEALTHY" : "UNHEALTHY";
  if (errorReason === null) forgetAbsence(db, id);
  db.update(cluster)
    .set({ status, errorReason, lastReportTime: now })
    .where(and(eq(cluster.id, id), eq(cluster.lastModifiedDate, lastModifiedDate)))
    .run();
}

/**
 * Deletes a cluster unless tasks use it. Returns the names of the tasks that use it, none if the
 * cluster is deleted.
 */
export function deleteCluster(db: Db, id: string): string[] {
  return write(db, (tx) => {
    const users = tasksOfCluster(tx, id);
    if (users.length > 0) return users;
    tx.delete(cluster).where(eq(cluster.id, id)).run();
    endCheck(tx, id);
    return users;
  });
}

export function findCluster(db: DbOrTx, id: string): ClusterRow | null {
  return db.select().from(cluster).where(eq(cluster.id, id)).get() ?? null;
}

export function findClusterByName(db: DbOrTx, name: string): ClusterRow | null {
  return db.select().from(cluster).where(eq(cluster.name, name)).get() ?? null;
}

export function findCenter(db: DbOrTx): ClusterRow | null {
  return db.select().from(cluster).where(eq(cluster.type, "CENTER")).get() ?? null;
}

/** Conditions on a list of clusters; `name`: prefix of the name. */
type ClusterFilter = { name?: string | undefined; type?: ClusterType | undefined };

function matching({ name, type }: ClusterFilter): SQL | undefined {
  return and(
    name === undefined ? undefined : startsWith(cluster.name, name),
    type && eq(cluster.type, type),
  );
}

export function listClusters(db: DbOrTx, filter: ClusterFilter = {}): ClusterRow[] {
  return db
    .select()
    .from(cluster)
    .where(matching(filter))
    .orderBy(asc(cluster.name))
    .all();
}

/** Returns a page of clusters, the newest first. */
export function pageClusters(
  db: DbOrTx,
  filter: ClusterFilter,
  offset: number,
  limit: number,
): { total: number; clusters: ClusterRow[] } {
  const where = matching(filter);
  const clusters = db
    .select()
    .from(cluster)
    .where(where)
    .orderBy(desc(cluster.createdDate), desc(cluster.id))
    .limit(limit)
    .offset(offset)
    .all();
  return {
    total:
      db
        .select({ n: sql<number>`count(*)` })
        .from(cluster)
        .where(where)
        .get()?.n ?? 0,
    clusters,
  };
}
