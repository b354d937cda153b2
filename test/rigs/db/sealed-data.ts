import { eq } from "drizzle-orm";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  openCredentials,
  sealCredentials,
} from "../../../activities/secrets/credentials.ts";
import { createSealer } from "../../../activities/secrets/seal.ts";
import { openSecretKey } from "../../../activities/secrets/secret-key.ts";
import { openKey } from "../../../api/keys/open-key.ts";
import { type Db, openDb } from "../../../db/open.ts";
import { peekKey } from "../../../db/secrets/peek.ts";
import { clusterOwner, workerOwner } from "../../../db/secrets/sealed.ts";
import { findWorker, insertWorker, listWorkers } from "../../../db/secrets/workers.ts";
import { secretOwner } from "../../../db/content/repositories.ts";
import { repository } from "../../../db/schema/content.ts";
import { cluster } from "../../../db/schema/tasks.ts";
import { addCluster, addRepository } from "./rows.ts";

const ROWS = 40;
const BY = { user: "tester", now: 0 };

/** Makes a data folder with clusters and a worker whose secrets are sealed with `key`, which is in its file. */
export function writeSealedData(key: string): string {
  const folder = mkdtempSync(join(tmpdir(), "keys-"));
  writeFileSync(join(folder, "secret-key"), `${key}\n`);
  withDb(folder, (db) => {
    openKey(db, key, { info: () => {} });
    for (let at = 0; at < ROWS; at += 1) addCluster(db, `c-${at}`, "REMOTE");
    for (const { id, url } of db.select().from(cluster).all())
      sealAs(db, id, (owner) =>
        sealCredentials(createSealer(key), owner, { url, realms: null }, password(id)),
      );
    addRepository(db, "demo", "linked", "OCI");
    db.update(repository)
      .set({ url: LINKED, secret: sealLinked(key), acceptedRealms: REALMS })
      .run();
    insertWorker(db, "far", (id) => createSealer(key).seal("hush", workerOwner(id)), BY);
  });
  return folder;
}

const LINKED = "http://registry.test";
const REALMS = ["http://auth.test/token"];
const OWNER = secretOwner({ projectId: "demo", name: "linked" });
const sealLinked = (key: string) =>
  sealCredentials(
    createSealer(key),
    OWNER,
    { url: LINKED, realms: REALMS },
    { token: "of linked" },
  );

/** What a release that did not bind credentials to their end has sealed. */
export const unbind = (db: Db, key: string): void => {
  for (const { id } of db.select().from(cluster).all())
    sealAs(db, id, (owner) =>
      createSealer(key).seal(JSON.stringify(password(id)), owner),
    );
};

function sealAs(db: Db, id: string, seal: (owner: string) => string | null): void {
  db.update(cluster)
    .set({ secret: seal(clusterOwner(id)) })
    .where(eq(cluster.id, id))
    .run();
}

const password = (id: string) => ({ password: `of ${id}` });

export function withDb<T>(folder: string, work: (db: Db) => T): T {
  const db = openDb(join(folder, "replication.db"));
  try {
    return work(db);
  } finally {
    db.$client.close();
  }
}

/** Opens the key as a start does, and everything that it seals; throws if something cannot be opened. */
export function openAll(folder: string, given?: string): string {
  const known = peekKey(join(folder, "replication.db"));
  const key = openSecretKey(folder, given, known);
  withDb(folder, (db) => {
    openKey(db, key, { info: () => {} });
    const sealer = createSealer(key);
    for (const { id, url, secret } of db.select().from(cluster).all()) {
      const opened = openCredentials(sealer, clusterOwner(id), url, secret ?? "");
      if (opened.password !== `of ${id}`) throw new Error(`${id} has another password`);
    }
    const { url, secret } = db.select().from(repository).get() ?? {};
    const linked = openCredentials(sealer, OWNER, url ?? "", secret ?? "");
    if (linked.token !== "of linked" || linked.realms?.[0] !== REALMS[0])
      throw new Error("the linked repository has other credentials or realms");
    for (const { id } of listWorkers(db))
      sealer.open(findWorker(db, id)?.secret ?? "", workerOwner(id));
  });
  return key;
}
