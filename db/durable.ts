import { open } from "node:fs/promises";
import type { Db } from "./open.ts";

/**
 * Returns a function whose promise resolves when all commits before the call survive a power loss;
 * it rejects when the write-ahead log cannot be synced. With WAL and synchronous=NORMAL a commit
 * alone survives the death of the process, but a power loss may take the last ones. Calls that come
 * during a sync share the next one.
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
 * Resolves when everything committed so far survives a power loss. Await it before acknowledging
 * content to a sender that will then delete its copy.
 */
export function durable(db: Db): Promise<void> {
  const known = syncs.get(db);
  if (known) return known();
  const sync = createSync(db.$client.name);
  syncs.set(db, sync);
  return sync();
}
