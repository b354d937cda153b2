import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Instance = {
  id: string;
  secretKey: string;
  adminPassword: string;
  /** Where the password can be read; undefined when it was given. */
  adminPasswordFile: string | undefined;
};

export type GivenSecrets = { secretKey?: string | undefined; adminPassword?: string | undefined };

/**
 * What makes an instance itself: its id and secrets, made at its first start where not given, and the same ever after.
 */
export function openInstance(dataDir: string, given: GivenSecrets): Instance {
  const adminPasswordFile = join(dataDir, "admin-password");
  return {
    id: kept(join(dataDir, "instance-id"), () => randomBytes(6).toString("hex")),
    secretKey: sameKey(join(dataDir, "secret-key"), given.secretKey),
    adminPassword: given.adminPassword ?? kept(adminPasswordFile, () => randomBytes(18).toString("base64url")),
    adminPasswordFile: given.adminPassword === undefined ? adminPasswordFile : undefined,
  };
}

/**
 * A key other than the one of earlier starts would make every stored credential unreadable, one by one and much later.
 */
function sameKey(file: string, given: string | undefined): string {
  if (given === undefined) return kept(file, () => randomBytes(32).toString("hex"));
  if ((lineOf(file) ?? given) === given) return given;
  throw new Error(
    `SECRET_KEY is not the key in ${file}, which sealed the stored credentials: unset it, or delete the file and enter them again`,
  );
}

/** The line in `file`, which only its owner can read; made when there is none, whole or not at all. */
function kept(file: string, make: () => string): string {
  const found = lineOf(file);
  if (found !== undefined) return found;
  const partial = `${file}.new`;
  const line = make();
  rmSync(partial, { force: true });
  writeFileSync(partial, `${line}\n`, { mode: 0o600, flush: true });
  renameSync(partial, file);
  return line;
}

function lineOf(file: string): string | undefined {
  try {
    const line = readFileSync(file, "utf8").trim();
    if (line === "") throw new Error(`${file} is empty: put its line back, or delete it to have a new one made`);
    return line;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
