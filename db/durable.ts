import { open } from "node:fs/promises";
import type { Db } from "./open.ts";

/**
 * With WAL and synchronous=NORMAL a commit survives the death of the process, but a power loss may take the last ones.
 * This makes all commits so far survive that, too, without making the thread wait for the disk: it syncs the log in the
 * background, once for all who ask at the same time.
 */
export function createSync(databaseFile: string): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  const run = async () => {
    next = undefined;
    await syncLog(`${databaseFile}-wal`);
  };
  return () => {
    if (!next) running = next = running.then(run, run);
    return next;
  };
}

async function syncLog(file: string): Promise<void> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  try {
    await handle?.datasync();
  } finally {
    await handle?.close();
  }
}

const syncs = new WeakMap<Db, () => Promise<void>>();

/**
 * Resolves when everything committed so far survives a power loss. Await it before acknowledging content to somebody
 * who will then forget his copy.
 */
export function durable(db: Db): Promise<void> {
  const known = syncs.get(db);
  if (known) return known();
  const sync = createSync(db.$client.name);
  syncs.set(db, sync);
  return sync();
}
