import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { StartError } from "../domain/start-error.ts";

/** A folder that a setting names. `isDefault`: the variable is not set, and this is its default. */
type Folder = { variable: string; path: string; isDefault: boolean };

const PROBE_BYTES = 64 * 1_024;

/**
 * Makes the folder, with what is missing above it, and writes a file there to see that it can. Throws a StartError
 * that names the variable, the path and the remedy when the folder cannot be used.
 */
export function openFolder(folder: Folder): void {
  try {
    makeFolder(folder.path);
    writeProbe(folder.path);
  } catch (error) {
    throw unusable(folder, error as NodeJS.ErrnoException);
  }
}

const { R_OK, W_OK, X_OK } = constants;
/** What may lie in DATA_DIR, and how it is used; all else there is replaced whole, or is not ours. */
const USED = [
  { name: /^(?:admin-password|instance-id|secret-key)$/, mode: R_OK },
  {
    name: /^(?:blobs|lock|replication|temporal-[\w.-]+)\.db(?:-wal|-shm|-journal)?$/,
    mode: R_OK | W_OK,
  },
  { name: /^lock\.pid$/, mode: R_OK | W_OK },
  { name: /^blobs$/, mode: R_OK | W_OK | X_OK },
];

/** Like `openFolder`; the databases, keys and contents that the folder holds must be usable, too. */
export function openDataFolder(folder: Folder): void {
  openFolder(folder);
  for (const entry of readdirSync(folder.path)) {
    const mode = USED.find(({ name }) => name.test(entry))?.mode;
    const error = mode === undefined ? null : accessError(join(folder.path, entry), mode);
    if (error !== null) throw unusable(folder, error);
  }
}

/** Returns why a file cannot be used so; null when it can, or was removed meanwhile. */
function accessError(path: string, mode: number): NodeJS.ErrnoException | null {
  try {
    accessSync(path, mode);
    return null;
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    return failure.code === "ENOENT" ? null : failure;
  }
}

/** Makes a folder step by step: Node's own recursive way does not end below /proc. */
function makeFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  if (found) throw Object.assign(new Error("a file"), { code: "ENOTDIR", path });
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process may have made it in the meantime.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** Writes as much as a database needs at first, since a full disk may still take an empty file. */
function writeProbe(path: string): void {
  const file = join(path, `.probe-${process.pid}`);
  const opened = openSync(file, "w", 0o600);
  try {
    writeFileSync(opened, Buffer.alloc(PROBE_BYTES));
    fsyncSync(opened);
  } finally {
    closeSync(opened);
    rmSync(file, { force: true });
  }
}

function unusable(folder: Folder, error: NodeJS.ErrnoException): StartError {
  const { variable, path, isDefault } = folder;
  const place = error.path === undefined ? path : placeOf(error.path);
  const whose = isDefault
    ? `${path} (the default of ${variable})`
    : `${variable} ${path}`;
  return new StartError(`${whose} cannot be used: ${reasonOf(error, place, variable)}`, {
    cause: error,
  });
}

/** Returns the path without the probe file, whose name helps nobody. */
const placeOf = (path: string) => (/\/\.probe-\d+$/.test(path) ? dirname(path) : path);

function reasonOf(
  { code, message, path = "" }: NodeJS.ErrnoException,
  place: string,
  variable: string,
): string {
  const another = `set ${variable} to a folder that can be written`;
  switch (code) {
    case "EACCES":
    case "EPERM":
      return `the user ${userName()} may not use ${place}; give it to that user (chown -R), or ${another}`;
    case "ENOTDIR":
    case "EEXIST":
      return `${existing(place)} is a file, not a folder; ${another}`;
    case "ENOSPC":
    case "EDQUOT":
      return `no space is left there; free some, or set ${variable} to a folder on another disk`;
    case "EROFS":
      return `${place} is on a read-only file system; mount it writable, or ${another}`;
    case "ENOENT":
      return `nothing can be made in ${dirname(path)}; ${another}`;
    default:
      return `${message}; ${another}`;
  }
}

/** Returns the part of a path that is there. */
function existing(path: string): string {
  try {
    statSync(path);
    return path;
  } catch {
    return existing(dirname(path));
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // The user has no entry in the list of users, as in containers.
    return String(process.getuid?.());
  }
}
