import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  lstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { StartError } from "../../domain/start-error.ts";
import { fits, isKey, type KeyCheck, keyIdOf } from "./key-check.ts";
import { kept, lineOf } from "./kept.ts";

/** The check value of a database's key, and values that the key has sealed. Null: there is no database yet. */
type Known = {
  check: KeyCheck | null;
  sealed: { sealed: string; owner: string }[];
} | null;

export const newSecretKey = (): string => randomBytes(32).toString("hex");

/**
 * Returns the secret key of an instance: the given one, or the one in DATA_DIR/secret-key, which is made if nothing has
 * been sealed yet. Finishes a rotation that was broken off after its transaction. Throws when the given key and the
 * file differ, and when neither is the key of the database.
 */
export function openSecretKey(
  dataDir: string,
  given: string | undefined,
  known: Known,
): string {
  const file = join(dataDir, "secret-key");
  settleRotation(dataDir, known);
  const inFile = lineOf(file);
  if (given !== undefined && inFile !== undefined && given !== inFile)
    throw differing(file, isKey(given, known?.check));
  const key = given ?? inFile;
  const isUsed = known !== null && (known.check !== null || known.sealed.length > 0);
  if (!isUsed) return key ?? kept(file, newSecretKey);
  if (key === undefined) throw missing(file);
  if (!fits(key, known.check, known.sealed))
    throw otherKey(known.check?.id ?? null, keyIdOf(key));
  return key;
}

/** The file in which a rotation keeps the new key until the database has it. */
export const nextKeyFile = (dataDir: string): string => join(dataDir, "secret-key.next");

/**
 * Puts the key of a rotation in the place of the old one if the database has it already, and drops it if the database
 * still has the old one; otherwise leaves it, because it may be the only one that opens something.
 */
export function settleRotation(dataDir: string, known: Known): void {
  const [file, next] = [join(dataDir, "secret-key"), nextKeyFile(dataDir)];
  const key = lineOf(next);
  if (key === undefined) return;
  const old = lineOf(file);
  if (isKey(key, known?.check)) {
    replace(file, next);
    syncFolder(dataDir);
  } else if (old !== undefined && isKey(old, known?.check)) rmSync(next);
}

function replace(file: string, next: string): void {
  try {
    renameSync(next, file);
  } catch (error) {
    throw new StartError(
      `${file} cannot be replaced (${(error as NodeJS.ErrnoException).code}): the key of the database is in ${next}, ` +
        "put it into the file's origin",
      { cause: error },
    );
  }
}

/** Makes sure that files which were made or renamed in a folder are found there after a loss of power. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  fsyncSync(handle);
  closeSync(handle);
}

/** Throws unless the key's file can be replaced by another: not through a link, nor where something is mounted. */
export function mustBeReplaceable(file: string): void {
  const { dev } = statSync(dirname(file));
  const found = lstatSync(file);
  if (!found.isSymbolicLink() && found.dev === dev) return;
  throw new StartError(
    `${file} is a link or mounted, so its key cannot be replaced here: give the keys by SECRET_KEY and ` +
      "NEW_SECRET_KEY, and put the new one into the file's origin when that is done",
  );
}

function differing(file: string, isGivenRight: boolean): StartError {
  return new StartError(
    isGivenRight
      ? `SECRET_KEY is the key of this database, and ${file} has another one: delete that file`
      : `SECRET_KEY is not the key in ${file}, which sealed the stored credentials: ` +
          "unset it, or replace the file's key by npm run rotate-key (docs/keys.md)",
  );
}

const LOST =
  "If it is lost, npm run rotate-key -- --lost gives the database a new key and lists what has to be entered again " +
  "(docs/keys.md)";

function missing(file: string): StartError {
  return new StartError(
    `The secret key of this database is missing: set SECRET_KEY to it, or restore ${file}. ${LOST}`,
  );
}

/** `wanted`: the id of the right key, null when it is not known; `given`: the id of the one that was tried. */
export function otherKey(wanted: string | null, given: string): StartError {
  const right = wanted === null ? "" : `, whose key has the id ${wanted}`;
  return new StartError(
    `The secret key with the id ${given} (SECRET_KEY, or DATA_DIR/secret-key) is not that of this database${right}: ` +
      `start with the key that sealed the stored credentials. ${LOST}`,
  );
}
