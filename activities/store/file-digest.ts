import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { fileMark } from "./damage.ts";

const READ_SIZE = 256 * 1024;

/** Called before some bytes are read and hashed; resolves when the reader may go on, rejects to end it. */
export type Pace = (bytes: number) => Promise<void>;

/** Turns the error of a file that does not exist into null; throws any other error. */
export const absent = (error: NodeJS.ErrnoException): null => {
  if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
  throw error;
};

/** Returns the digest and mark of a file, null if there is none. The digest is "" if the disk cannot read it. */
export async function readDigest(
  file: string,
  pace: Pace,
): Promise<{ sha256: string; mark: string } | null> {
  const handle = await open(file, "r").catch(absent);
  if (handle === null) return null;
  try {
    const mark = fileMark(await handle.stat({ bigint: true }));
    const digest = createHash("sha256");
    const into = Buffer.allocUnsafeSlow(READ_SIZE);
    for (;;) {
      await pace(READ_SIZE);
      const { bytesRead } = await handle.read(into, 0, READ_SIZE, null);
      if (bytesRead === 0) return { sha256: digest.digest("hex"), mark };
      digest.update(into.subarray(0, bytesRead));
    }
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { sha256: "", mark: fileMark(await handle.stat({ bigint: true })) };
  } finally {
    await handle.close();
  }
}

/** Whether the disk says that it has lost the bytes. */
const isUnreadable = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EIO";
