import { Worker } from "node:worker_threads";

/** `pauseMs`: before the next try after one that failed. */
export type Checkpoints = { files: string[]; lookMs: number; pauseMs: number; bytes: number };

/** So much of a log is copied into its database at once. */
const BYTES = 4 * 1024 ** 2;
const LOOK_MS = 100;
const PAUSE_MS = 30_000;

/**
 * Copies what these databases' logs have into the databases themselves, in a thread of its own: the thread that answers
 * requests does not wait for the disk. PASSIVE waits for nobody and holds nobody up. A log begins anew only when all of
 * it has been copied, which may never be while writes go on and on; so connections that write do it themselves once a
 * log is as long as OWN_CHECKPOINT_BYTES, with little left to copy then. `trouble` is told what went wrong.
 */
export function startCheckpoints(files: string[], trouble: (reason: string) => void): { stop: () => Promise<void> } {
  const workerData: Checkpoints = { files, lookMs: LOOK_MS, pauseMs: PAUSE_MS, bytes: BYTES };
  const thread = new Worker(new URL("./checkpoint-thread.mjs", import.meta.url), { workerData, execArgv: [] });
  thread.on("message", (reason: string) => trouble(`${reason}; it is tried again`));
  thread.on("error", (error) =>
    trouble(`${error.message}; until the next start they are copied only when they are long`),
  );
  const ended = new Promise((resolve) => thread.once("exit", resolve));
  return {
    async stop() {
      thread.postMessage("stop");
      await ended;
    },
  };
}

/** See `startCheckpoints`. */
const OWN_CHECKPOINT_BYTES = 32 * 1024 ** 2;

/** The pragma for a connection that writes, once it has its page size. */
export const ownCheckpoints = (pageSize: number): string => `wal_autocheckpoint = ${OWN_CHECKPOINT_BYTES / pageSize}`;
