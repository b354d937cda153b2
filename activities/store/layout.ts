import { mkdirSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { TransferError } from "../../domain/failure.ts";

/** Content of up to this many bytes is stored in blobs.db instead of a file of its own. */
export const INLINE_LIMIT = 16 * 1024;

/** Paths of the store's folders and of blobs.db below DATA_DIR. */
export type Layout = {
  blobs: string;
  staging: string;
  inlineFile: string;
  /** Wrong contents, each a file that is named by the digest that it should have. */
  quarantine: string;
};

export function layout(dataDir: string): Layout {
  const blobs = join(dataDir, "blobs");
  return {
    blobs,
    staging: join(blobs, "staging"),
    inlineFile: join(dataDir, "blobs.db"),
    quarantine: join(dataDir, "quarantine"),
  };
}

const SHA256 = /^[0-9a-f]{64}$/;
const MD5 = /^[0-9a-f]{32}$/;

/** Accepts lower-case hex only: a text that passes is safe as part of a file name. */
export const isSha256 = (text: string): boolean => SHA256.test(text);
export const isMd5 = (text: string): boolean => MD5.test(text);

export function blobFile({ blobs }: Pick<Layout, "blobs">, sha256: string): string {
  if (!isSha256(sha256))
    throw new TransferError(
      "invalid",
      `"${sha256.slice(0, 80)}" is not a sha256 digest in lower-case hex`,
    );
  return join(blobs, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
}

export function makeFolders({ staging }: Layout): void {
  mkdirSync(staging, { recursive: true });
}

/** The beginnings of all digests, two hex digits each: the names of the folders of blobs. */
export const PREFIXES = Array.from({ length: 256 }, (_, i) =>
  i.toString(16).padStart(2, "0"),
);

/** Syncs a folder, so that renames and new names in it survive a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const FULL = new Set(["ENOSPC", "EDQUOT", "SQLITE_FULL"]);

/** Turns the error of a full disk into the TransferError `noSpace`; returns any other error unchanged. */
export function storageError(error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (!FULL.has(code)) return error;
  return new TransferError(
    "noSpace",
    "the disk of the store is full: free some space and try again",
    { cause: error },
  );
}
