import { existsSync } from "node:fs";
import { join } from "node:path";
import { isKey, keyIdOf } from "../../activities/secrets/key-check.ts";
import { kept, lineOf } from "../../activities/secrets/kept.ts";
import {
  mustBeReplaceable,
  newSecretKey,
  nextKeyFile,
  openSecretKey,
  settleRotation,
  syncFolder,
} from "../../activities/secrets/secret-key.ts";
import { loadConfig } from "../../config.ts";
import { lockDataDir } from "../../db/lock.ts";
import { type Db, openDb } from "../../db/open.ts";
import { opening } from "../../db/opening.ts";
import { peekKey } from "../../db/secrets/peek.ts";
import { StartError } from "../../domain/start-error.ts";
import { openKey } from "./open-key.ts";
import { adoptKey, rotateKey, type Rotated } from "./rotate.ts";

/**
 * `npm run rotate-key`: seals everything in DATA_DIR with a new secret key, while the service is stopped. Broken off at
 * any moment, it can be run again, and the service can be started (docs/keys.md). Exit code 0: done; 2: not done.
 */

const LOST = "--lost";
const say = (line: string) => void process.stdout.write(`${line}\n`);

type Settings = {
  dataDir: string;
  secretKey?: string | undefined;
  newSecretKey?: string | undefined;
};

function main(): void {
  const others = process.argv.slice(2).filter((option) => option !== LOST);
  if (others.length > 0)
    throw new StartError(`${others.join(" ")} is unknown; the only option is ${LOST}`);
  const config = loadConfig(process.env);
  process.umask(0o077);
  const file = join(config.dataDir, "replication.db");
  if (!existsSync(file))
    throw new StartError(`${file} does not exist: set DATA_DIR to the data of a service`);
  const lock = lockDataDir(config.dataDir);
  if (process.argv.includes(LOST)) adopt(file, config);
  else rotate(file, config);
  lock.release();
}

function rotate(file: string, { dataDir, secretKey, newSecretKey: given }: Settings) {
  const known = peekKey(file);
  const isPresent = given === (secretKey ?? lineOf(join(dataDir, "secret-key")));
  if (given !== undefined && isPresent)
    throw new StartError("NEW_SECRET_KEY is the present key: set another one");
  if (given !== undefined && isKey(given, known?.check))
    return say(`The key with the id ${keyIdOf(given)} is already that of the database.`);
  const oldKey = openSecretKey(dataDir, secretKey, known);
  const keyFile = join(dataDir, "secret-key");
  const isKept = secretKey === undefined;
  if (!isKept && given === undefined)
    throw new StartError(
      "The key is given by SECRET_KEY, so set NEW_SECRET_KEY to the next one (`openssl rand -hex 32` makes one), and " +
        "SECRET_KEY to it when that is done",
    );
  if (isKept) mustBeReplaceable(keyFile);
  const wanted = given ?? newSecretKey();
  const newKey = isKept ? keepNext(dataDir, wanted) : wanted;
  const db = openDurably(file);
  openKey(db, oldKey, { info: () => {} });
  const rotated = opening(file, () => rotateKey(db, oldKey, newKey));
  db.$client.close();
  if (isKept) settleRotation(dataDir, peekKey(file));
  say(`${rotated.sealed} values are sealed with the key ${keyIdOf(newKey)}.`);
  tell(rotated);
  say(
    isKept
      ? "It is in DATA_DIR/secret-key; start the service again."
      : "Set SECRET_KEY to it, delete DATA_DIR/secret-key if there is one, and start the service again.",
  );
  say(`Backups made before need the old key, ${keyIdOf(oldKey)}.`);
}

/** Keeps the next key in its file before the database has it, and returns it; one that is there already comes first. */
function keepNext(dataDir: string, wanted: string): string {
  const key = kept(nextKeyFile(dataDir), () => wanted);
  syncFolder(dataDir);
  return key;
}

/** Opens a database whose commits outlive a loss of power: what is done next destroys the old key. */
function openDurably(file: string): Db {
  const db = openDb(file);
  db.$client.pragma("synchronous = FULL");
  return db;
}

function adopt(file: string, { dataDir, secretKey, newSecretKey: given }: Settings) {
  const known = peekKey(file);
  settleRotation(dataDir, known);
  const keyFile = join(dataDir, "secret-key");
  const key = given ?? secretKey ?? kept(keyFile, newSecretKey);
  if (isKey(key, known?.check))
    return say(`The key with the id ${keyIdOf(key)} is that of the database already.`);
  const db = openDurably(file);
  const adopted = opening(file, () => adoptKey(db, key));
  db.$client.close();
  say(`The database has the key ${keyIdOf(key)} now.`);
  const inFile = lineOf(keyFile);
  if (inFile !== undefined && inFile !== key)
    say(`Set SECRET_KEY to it, and delete ${keyFile}, which has another one.`);
  tell(adopted);
}

function tell({ unreadable }: Rotated): void {
  if (unreadable.length === 0) return;
  say(
    "Enter these again (cluster/update, repo/update; delete workers and make them anew):",
  );
  for (const name of unreadable) say(`  ${name}`);
}

try {
  main();
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
