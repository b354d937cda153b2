import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { weaknessOf } from "../../domain/password.ts";
import { StartError } from "../../domain/start-error.ts";
import { kept, lineOf } from "./kept.ts";
import { openSecretKey } from "./secret-key.ts";

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
 * kept from then on. `known`: what the database says of the secret key. Throws for a password that is easy to guess,
 * unless the instance began with it under a release that did not ask, and as `openSecretKey` does.
 */
export function openInstance(
  dataDir: string,
  given: GivenSecrets,
  known: Parameters<typeof openSecretKey>[2],
): Instance {
  const isNew = lineOf(join(dataDir, "instance-id")) === undefined;
  if (isNew) refuseWeak(given);
  // First: with another key than the database's, nothing must be made.
  const secretKey = openSecretKey(dataDir, given.secretKey, known);
  const adminPasswordFile = join(dataDir, "admin-password");
  return {
    id: kept(join(dataDir, "instance-id"), () => randomBytes(6).toString("hex")),
    secretKey,
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
