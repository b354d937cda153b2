import { createReadStream } from "node:fs";
import { open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { digestChunks, type Digests, type Summary, type Wanted } from "./digests.ts";
import type { Claim } from "./room.ts";
import { createWriter, tooLarge, withFile } from "./writer.ts";

/** An upload session expires when it has received no bytes for this long (ms). */
export const SESSION_LIFE_MS = 24 * 3_600_000;

export const SESSION_FILE = /^s-[0-9a-f]{24}$/;

/**
 * Appends a body to a file of `size` bytes and returns the new size. Throws when the body breaks, or makes
 * the file larger than `maxBytes`, or `claim` has no room for it; the chunks before that stay in the file and are
 * included in the digests.
 */
export async function appendTo(
  file: string,
  size: number,
  digests: Digests,
  body: Readable,
  { maxBytes, claim }: { maxBytes: number; claim: Claim },
): Promise<number> {
  const handle = await open(file, "a");
  return withFile(handle, async () => {
    const writer = createWriter(handle, digests, claim);
    let total = size;
    try {
      // If reading stops early, the body must stay open, so that its sender can still be answered.
      for await (const chunk of body.iterator({
        destroyOnReturn: false,
      }) as AsyncIterable<Buffer>) {
        if (total + chunk.length > maxBytes) throw tooLarge(maxBytes);
        total += chunk.length;
        await writer.add(chunk);
      }
    } finally {
      await writer.flush();
    }
    return total;
  });
}

export function digestFile(file: string, wanted: Wanted = {}): Promise<Summary> {
  return digestChunks(
    createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>,
    wanted,
  );
}

/** Finds the sessions in the folder; `modified`: when one last received bytes (epoch ms). */
export async function sessionsIn(
  staging: string,
): Promise<{ id: string; size: number; modified: number }[]> {
  const names = (await readdir(staging)).filter((entry) => SESSION_FILE.test(entry));
  const found = [];
  for (const name of names) {
    const file = await stat(join(staging, name)).catch(() => null);
    if (file) found.push({ id: name.slice(2), size: file.size, modified: file.mtimeMs });
  }
  return found;
}

/** Removes the sessions that have received no bytes since `before` (epoch ms) and returns their ids. */
export async function expireSessions(staging: string, before: number): Promise<string[]> {
  const sessions = await sessionsIn(staging);
  const expired = sessions.filter(({ modified }) => modified < before);
  for (const { id } of expired) await rm(join(staging, `s-${id}`), { force: true });
  return expired.map(({ id }) => id);
}
