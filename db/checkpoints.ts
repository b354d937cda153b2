import { Worker } from "node:worker_threads";

/**
 * `lookMs`: period of looking at the logs; `pauseMs`: pause after a failed attempt; `bytes`: size
 * of new log at which it is copied.
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
 * Copies the write-ahead logs of `files` into these databases, in a thread of its own: the thread
 * that answers requests never waits for the disk. PASSIVE waits for nobody and blocks nobody. A log
 * restarts only when all of it has been copied, which may never happen under constant writes; so
 * writing connections checkpoint on their own once a log reaches OWN_CHECKPOINT_BYTES, with little
 * left to copy. `trouble` receives each error text.
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
 * Length of a log at which a writing connection checkpoints on its own (see `startCheckpoints`).
 */
const OWN_CHECKPOINT_BYTES = 32 * 1024 ** 2;

/** Returns the pragma for a writing connection; the connection's page size must be set before. */
export const ownCheckpoints = (pageSize: number): string =>
  `wal_autocheckpoint = ${OWN_CHECKPOINT_BYTES / pageSize}`;
