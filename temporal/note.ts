import {
  closeSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import type { Logger } from "pino";

const AGAIN_MS = 5_000;

/** A small file for others to read, such as the addresses of a running service. */
export type Note = {
  /** Replaces what the file says. A failure is logged and tried again, and is none of the caller's. */
  write: (value: object) => void;
  remove: () => void;
};

export type NoteLog = Pick<Logger, "info" | "error">;

/**
 * Keeps a note in the JSON file `file`: no failure to write it ends a process. It is logged once with the reason and
 * tried again every 5 s until it succeeds.
 */
export function createNote(file: string, log: NoteLog): Note {
  let wanted: string | null = null;
  let failed = false;
  let timer: NodeJS.Timeout | undefined;
  const attempt = () => {
    clearTimeout(timer);
    try {
      if (wanted === null) rmSync(file, { force: true });
      else put(file, wanted);
      if (failed) log.info(`${file} is written again`);
      failed = false;
    } catch (error) {
      if (!failed)
        log.error({ err: error }, `${file} cannot be written; it is tried again`);
      failed = true;
      timer = setTimeout(attempt, AGAIN_MS).unref();
    }
  };
  return {
    write(value) {
      wanted = `${JSON.stringify(value, undefined, 2)}\n`;
      attempt();
    },
    remove() {
      wanted = null;
      attempt();
    },
  };
}

/**
 * Replaces a file whole. Where the disk has no room for a second one, writes over the one that is there: it has a block
 * already, which is longer than a note.
 */
function put(file: string, text: string): void {
  const partial = `${file}.new`;
  try {
    writeTo(partial, "w", text);
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    try {
      writeTo(file, "r+", text);
    } catch {
      throw error;
    }
  }
}

function writeTo(file: string, flags: "w" | "r+", text: string): void {
  const opened = openSync(file, flags, 0o600);
  try {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(opened, bytes, at);
    ftruncateSync(opened, bytes.length);
  } finally {
    closeSync(opened);
  }
}
