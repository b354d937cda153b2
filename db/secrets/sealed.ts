import { and, eq, isNotNull, isNull } from "drizzle-orm";
import { secretOwner } from "../content/repositories.ts";
import type { DbOrTx } from "../open.ts";
import { repository } from "../schema/content.ts";
import { cluster } from "../schema/tasks.ts";
import { worker } from "../schema/workers.ts";

/**
 * A sealed value of the database. `owner`: the additional data of its seal; `name`: what people call its thing; `url`:
 * the end that it belongs to, null for the secret of a worker.
 */
export type SealedValue = {
  owner: string;
  name: string;
  url: string | null;
  sealed: string;
  replace: (db: DbOrTx, sealed: string) => void;
};

/** Returns the owner of a cluster's credentials. */
export const clusterOwner = (id: string): string => `cluster:${id}`;
/** Returns the owner of a worker's secret. */
export const workerOwner = (id: string): string => `worker:${id}`;

/** Returns every sealed value that the secret key opens, but not the check value of the key. */
export const sealedValues = (db: DbOrTx): SealedValue[] => [
  ...ofClusters(db),
  ...ofRepositories(db),
  ...ofWorkers(db),
];

function ofClusters(db: DbOrTx): SealedValue[] {
  const { id, name, url, secret } = cluster;
  const rows = db
    .select({ id, name, url, secret })
    .from(cluster)
    .where(isNotNull(secret))
    .all();
  return rows.map((row) => ({
    owner: clusterOwner(row.id),
    name: `cluster ${row.name}`,
    url: row.url,
    sealed: row.secret ?? "",
    replace: (tx, sealed) =>
      void tx.update(cluster).set({ secret: sealed }).where(eq(id, row.id)).run(),
  }));
}

function ofRepositories(db: DbOrTx): SealedValue[] {
  const { id, projectId, name, url, secret } = repository;
  const rows = db
    .select({ id, projectId, name, url, secret })
    .from(repository)
    .where(isNotNull(secret))
    .all();
  return rows.map((row) => ({
    owner: secretOwner(row),
    name: `repository ${row.projectId}/${row.name}`,
    url: row.url,
    sealed: row.secret ?? "",
    replace: (tx, sealed) =>
      void tx.update(repository).set({ secret: sealed }).where(eq(id, row.id)).run(),
  }));
}

function ofWorkers(db: DbOrTx): SealedValue[] {
  return db
    .select()
    .from(worker)
    .all()
    .map((row) => ({
      owner: workerOwner(row.id),
      name: `worker ${row.name}`,
      url: null,
      sealed: row.secret,
      replace: (tx, sealed) =>
        void tx.update(worker).set({ secret: sealed }).where(eq(worker.id, row.id)).run(),
    }));
}

/** The end of some sealed credentials: its address, and what is stored of its login. */
type SealedEnd = { url: string; secret: string };

/** Returns the end with this owner that has credentials and no accepted realms yet; null if there is none. */
export function endWithoutRealms(db: DbOrTx, owner: string): SealedEnd | null {
  const [kind, id] = splitOwner(owner);
  const found =
    kind === "cluster"
      ? db.select().from(cluster).where(eq(cluster.id, id)).get()
      : db.select().from(repository).where(repositoryIs(id)).get();
  if (!found || found.acceptedRealms !== null) return null;
  const { url, secret } = found;
  return url === null || secret === null ? null : { url, secret };
}

/** Stores accepted realms with the seal that has them, unless the end was changed meanwhile. */
export function keepRealms(
  db: DbOrTx,
  owner: string,
  before: SealedEnd,
  { realms, secret }: { realms: string[]; secret: string },
): void {
  const [kind, id] = splitOwner(owner);
  const values = { acceptedRealms: realms, secret };
  if (kind === "cluster")
    db.update(cluster)
      .set(values)
      .where(
        and(
          eq(cluster.id, id),
          eq(cluster.secret, before.secret),
          isNull(cluster.acceptedRealms),
        ),
      )
      .run();
  else
    db.update(repository)
      .set(values)
      .where(
        and(
          repositoryIs(id),
          eq(repository.secret, before.secret),
          isNull(repository.acceptedRealms),
        ),
      )
      .run();
}

function splitOwner(owner: string): [kind: string, id: string] {
  const at = owner.indexOf(":");
  return [owner.slice(0, at), owner.slice(at + 1)];
}

function repositoryIs(path: string) {
  const at = path.indexOf("/");
  return and(
    eq(repository.projectId, path.slice(0, at)),
    eq(repository.name, path.slice(at + 1)),
  );
}
