import { Worker } from "node:worker_threads";

/**
 * What the thread that copies write-ahead logs into their databases gets. `files`: the databases;
 * `lookMs`: how often it looks at the logs (ms); `pauseMs`: pause (ms) of a database after a failed
 * attempt; `bytes`: size of new log at which the log is copied.
 */
type Checkpoints = {
  files: string[];
  lookMs: number;
  pauseMs: number;
  bytes: number;
};

/** Bytes of new write-ahead log at which the log is copied into its database. */
const BYTES = 4 * 1024 ** 2;
const LOOK_MS = 100;
const PAUSE_MS = 30_000;

/**
 * Copies the write-ahead logs of the databases `files` into these databases, in a thread of its
 * own, so that the thread that answers requests seldom waits for the disk. This copying (PASSIVE)
 * waits for no connection and blocks none. A log starts again from its beginning only when all of
 * it has been copied, which may never happen under constant writes; so a connection that writes
 * also copies the log itself once the log has OWN_CHECKPOINT_BYTES. `trouble` gets the text of each
 * error.
 */
export function startCheckpoints(
  files: string[],
  trouble: (reason: string) => void,
): { stop: () => Promise<void> } {
  const workerData: Checkpoints = {
    files,
    lookMs: LOOK_MS,
    pauseMs: PAUSE_MS,
    bytes: BYTES,
  };
  const thread = new Worker(new URL("./checkpoint-thread.mjs", import.meta.url), {
    workerData,
    execArgv: [],
  });
  thread.on("message", (reason: string) => trouble(`${reason}; another attempt follows`));
  thread.on("error", (error) =>
    trouble(
      `${error.message}; until the next start, logs are copied only when they are long`,
    ),
  );
  const ended = new Promise((resolve) => thread.once("exit", resolve));
  return {
    async stop() {
      thread.postMessage("stop");
      await ended;
    },
  };
}

/**
 * Length (bytes) of a write-ahead log from which on a connection that writes copies the log into
 * its database itself.
 */
const OWN_CHECKPOINT_BYTES = 32 * 1024 ** 2;

/**
 * Returns the pragma with which a connection that writes copies its write-ahead log itself once the
 * log has OWN_CHECKPOINT_BYTES. `pageSize`: bytes of a page of the database; it must not change
 * later.
 */
export const ownCheckpoints = (pageSize: number): string =>
  `wal_autocheckpoint = ${OWN_CHECKPOINT_BYTES / pageSize}`;
