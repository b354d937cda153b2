import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { StartError } from "../../domain/start-error.ts";

/**
 * Reads the line in `file`. If the file is missing, creates it atomically with the line of `make`, readable
 * by its owner only. Throws when the file is empty.
 */
export function kept(file: string, make: () => string): string {
  const found = lineOf(file);
  if (found !== undefined) return found;
  const partial = `${file}.new`;
  const line = make();
  rmSync(partial, { force: true });
  writeFileSync(partial, `${line}\n`, { mode: 0o600, flush: true });
  renameSync(partial, file);
  return line;
}

/** Returns the line in a file, undefined when there is no such file. Throws when it is empty. */
export function lineOf(file: string): string | undefined {
  try {
    const line = readFileSync(file, "utf8").trim();
    if (line === "")
      throw new StartError(
        `${file} is empty: restore its line, or delete the file to generate a new one`,
      );
    return line;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
