import { mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Layout, syncFolder } from "./layout.ts";

/** Folders that are being made, so that whoever needs one waits until it survives a power loss. */
const making = new Map<string, Promise<void>>();
/** Folders that were made and whose names could not be synced yet. */
const unsynced = new Set<string>();

/**
 * Makes the folder of a blob's file. When the promise resolves, the folder survives a power loss, whoever
 * made it. Folders of earlier processes must have been synced before (`syncBlobFolders`).
 */
export async function makeBlobFolder(file: string): Promise<void> {
  const folder = dirname(file);
  const under = making.get(folder);
  if (under) return under;
  const begun = make(folder).finally(() => making.delete(folder));
  making.set(folder, begun);
  return begun;
}

async function make(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined && !unsynced.has(folder)) return;
  unsynced.add(folder);
  await syncFolder(dirname(folder));
  await syncFolder(dirname(dirname(folder)));
  unsynced.delete(folder);
}

const PREFIX = /^[0-9a-f]{2}$/;

/** Makes the folders that earlier processes made survive a power loss; they may have died before they did. */
export async function syncBlobFolders({ blobs }: Pick<Layout, "blobs">): Promise<void> {
  await syncFolder(blobs);
  for (const name of await readdir(blobs))
    if (PREFIX.test(name)) await syncFolder(join(blobs, name));
}
