import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { weaknessOf } from "../../domain/password.ts";
import { StartError } from "../../domain/start-error.ts";

export type Instance = {
  id: string;
  secretKey: string;
  adminPassword: string;
  /** The file with the generated password; undefined when the password was given. */
  adminPasswordFile: string | undefined;
};

type GivenSecrets = {
  adminUsername: string;
  secretKey?: string | undefined;
  adminPassword?: string | undefined;
};

/**
 * Opens the identity of an instance: its id and secrets. A secret that is not given is generated at the first start and
 * kept from then on. Throws for a password that is easy to guess, unless the instance began with it under a release
 * that did not ask.
 */
export function openInstance(dataDir: string, given: GivenSecrets): Instance {
  const isNew = lineOf(join(dataDir, "instance-id")) === undefined;
  if (isNew) refuseWeak(given);
  const adminPasswordFile = join(dataDir, "admin-password");
  return {
    id: kept(join(dataDir, "instance-id"), () => randomBytes(6).toString("hex")),
    secretKey: sameKey(join(dataDir, "secret-key"), given.secretKey),
    adminPassword:
      given.adminPassword ??
      kept(adminPasswordFile, () => randomBytes(18).toString("base64url")),
    adminPasswordFile: given.adminPassword === undefined ? adminPasswordFile : undefined,
  };
}

function refuseWeak({ adminUsername, adminPassword }: GivenSecrets): void {
  if (adminPassword === undefined) return;
  const why = weaknessOf(adminPassword, adminUsername);
  if (why === null) return;
  throw new StartError(
    `ADMIN_PASSWORD is too easy to guess (${why}): set one of 12 or more characters, ` +
      "such as `openssl rand -base64 18` makes, or leave it out to have one made",
  );
}

/**
 * Returns the secret key: the given one, or the one in `file`, which is generated if missing. Throws when
 * both exist and differ: the credentials sealed with the key in `file` would turn out unreadable, one by
 * one and much later.
 */
function sameKey(file: string, given: string | undefined): string {
  if (given === undefined) return kept(file, () => randomBytes(32).toString("hex"));
  if ((lineOf(file) ?? given) === given) return given;
  throw new StartError(
    `SECRET_KEY is not the key in ${file}, which sealed the stored credentials: ` +
      "unset it, or delete the file and enter them again",
  );
}

/**
 * Reads the line in `file`. If the file is missing, creates it atomically with the line of `make`, readable
 * by its owner only. Throws when the file is empty.
 */
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
