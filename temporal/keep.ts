import type { ChildProcess } from "node:child_process";
import type { Logger } from "pino";
import { elapsed } from "../domain/elapsed.ts";

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;
const STEADY_MS = 60_000;

/** A process that was just started; `ready` resolves when it works. */
export type Started = { child: ChildProcess; ready: Promise<unknown> };

export type Kept = {
  readonly name: string;
  /** The pid; undefined while no process runs. */
  pid: () => number | undefined;
  /** Whether the process runs and has reported that it works. */
  isUp: () => boolean;
  /** Resolves when the process is up for the first time; rejects when the first process ends before that. */
  readonly firstUp: Promise<void>;
  /** Sends a message to a forked process; the message is lost while no process runs. */
  send: (message: object) => void;
  /** Sends the signal; resolves when the process is gone. Call it only after `until` has aborted. */
  end: (signal: NodeJS.Signals) => Promise<void>;
};

type First = { resolve: () => void; reject: (error: Error) => void };

type KeepOptions = {
  name: string;
  start: () => Started;
  log: Logger;
  onChange: () => void;
  /** Once this signal aborts, nothing is started again. */
  until: AbortSignal;
};

/**
 * Keeps one process running: restarts it 1 s after its end, then after 2 s, up to 30 s. Once a process has
 * run for a minute, the delay is 1 s again.
 */
export function keepRunning({ name, start, log, onChange, until }: KeepOptions): Kept {
  let child: ChildProcess | undefined;
  let gone: Promise<void> = Promise.resolve();
  let up = false;
  let delay = FIRST_DELAY_MS;
  let timer: NodeJS.Timeout | undefined;

  const launch = (first?: First) => {
    const begun = elapsed();
    const over = (how: string) => {
      child = undefined;
      up = false;
      first?.reject(
        new Error(`${name} ended (${how}) before it was ready: the lines above say why`),
      );
      if (!until.aborted) again(elapsed() - begun, how);
      onChange();
    };
    let started: Started;
    try {
      started = start();
    } catch (error) {
      // Node reports some reasons why nothing can be started by an event, and throws the others (ENOMEM, EIO).
      gone = Promise.resolve(String(error)).then(over);
      return;
    }
    child = started.child;
    gone = ended(started.child).then(over);
    started.ready.then(
      () => {
        if (child !== started.child) return;
        up = true;
        log.info({ name, child: child.pid, ms: elapsed() - begun }, `${name} is up`);
        first?.resolve();
        onChange();
      },
      (error: Error) => {
        if (child !== started.child) return;
        log.error({ name }, `${name} did not become ready: ${error.message}`);
        started.child.kill("SIGKILL");
      },
    );
  };
  const again = (livedMs: number, how: string) => {
    if (livedMs > STEADY_MS) delay = FIRST_DELAY_MS;
    log.warn({ name, delayMs: delay }, `${name} ended (${how}); starting it again`);
    timer = setTimeout(() => launch(), delay);
    delay = Math.min(delay * 2, LONGEST_DELAY_MS);
  };

  until.addEventListener("abort", () => clearTimeout(timer), { once: true });
  const firstUp = new Promise<void>((resolve, reject) => launch({ resolve, reject }));
  // Prevents an unhandled rejection: a caller that does not wait for the first start relies on the
  // restarts.
  firstUp.catch(() => undefined);
  return {
    name,
    pid: () => child?.pid,
    isUp: () => up,
    firstUp,
    send: (message) => void (child?.connected && child.send(message, () => undefined)),
    end: (signal) => {
      child?.kill(signal);
      return gone;
    },
  };
}

/** Resolves with how the process ended, or with the reason why it could not be started. */
function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => child.pid === undefined && resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
