import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";

const digestFile = (binary: string): string => `${binary}.sha256`;

/** Returns the sha256 of a file in lower-case hex. */
async function sha256Of(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** Remembers the digest of a program that was just built or downloaded, beside it. */
export async function rememberDigest(binary: string): Promise<void> {
  const partial = `${digestFile(binary)}.${process.pid}.new`;
  await writeFile(partial, `${await sha256Of(binary)}\n`);
  await rename(partial, digestFile(binary));
}

/**
 * Checks that a program is the one that was kept; throws if it has changed since. One that an earlier release
 * kept has no digest yet: the present one is remembered.
 */
export async function checkDigest(binary: string): Promise<void> {
  const known = await readFile(digestFile(binary), "utf8").catch(() => null);
  if (known === null) return rememberDigest(binary).catch(() => undefined);
  const found = await sha256Of(binary);
  if (known.trim() !== found)
    throw new Error(
      `has the sha256 ${found}, not ${known.trim()} as when it was kept: remove it and its .sha256`,
    );
}
