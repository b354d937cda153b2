/** How a process ends, and what the supervisor and its children say to each other. */

import { inspect } from "node:util";
import { StartError } from "./domain/start-error.ts";
import type { Text } from "./domain/text.ts";

/**
 * The supervisor's message to the control plane after each change; `workers`: number of transfer workers
 * that run.
 */
export type ProcessesMessage = {
  type: "processes";
  temporal: boolean;
  /** Why Temporal does not answer, and what to do; null while it answers. */
  temporalProblem: Text | null;
  /** URL of the UI of the embedded Temporal server; null for another server. */
  temporalUi: string | null;
  searchAttributes: boolean;
  orchestrator: boolean;
  workers: number;
  /** Ports of loopback at which the processes serve their metrics. */
  metrics: { process: string; port: number }[];
};

/**
 * A child's message to the supervisor. `ready`: the child does its work now; `url`: address of the control
 * plane; `metrics`: the port of loopback at which a child of another kind serves its metrics. `failed`: the child
 * cannot start for the `reason`, which ends everything unless the child was up before.
 */
export type ChildMessage =
  { type: "ready"; url?: string; metrics?: number } | { type: "failed"; reason: string };

const STOP_DEADLINE_MS = 25_000;
/** How long a child that cannot start waits for the supervisor, which ends it. */
const FAILED_DEADLINE_MS = 10_000;

/**
 * Call this first in the file of a process. A StartError that nothing catches is shown as its sentence alone, by the
 * supervisor where there is one; any other error with its stack. The exit code is 1. What cannot be shown, as in a file
 * on a full disk, is no failure.
 */
export function showFailures(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", () => undefined);
  process.on("uncaughtException", (error: unknown) => {
    if (error instanceof StartError && process.connected) {
      const message: ChildMessage = { type: "failed", reason: error.message };
      tellParent(message);
      setTimeout(() => process.exit(1), FAILED_DEADLINE_MS);
      return;
    }
    const shown = error instanceof StartError ? error.message : inspect(error);
    process.stderr.write(`${shown}\n`);
    process.exit(1);
  });
}

/**
 * Sends a message to the process that forked this one. It is lost if that process is gone; without the callback, that
 * would be an error event, which ends this process with a stack.
 */
export const tellParent = (message: object): void =>
  void process.send?.(message, undefined, undefined, () => undefined);

/**
 * Handles the end of a child of the supervisor, or of a process that runs alone (`npm run worker`): SIGTERM
 * calls `stop`, then exits with 0 unless `stop` rejects. A child leaves Ctrl-C and the terminal's end,
 * which reach every process at once, to the supervisor. If the supervisor dies, the child exits at once.
 */
export function superviseChild(options: {
  stop: () => Promise<void>;
  onProcesses?: (message: ProcessesMessage) => void;
}) {
  const supervised = process.send !== undefined;
  let stopping = false;
  const end = () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    void options.stop().then(() => process.exit(0));
  };
  process.on("SIGTERM", end);
  for (const name of ["SIGINT", "SIGHUP"]) process.on(name, () => supervised || end());
  process.on("disconnect", () => process.exit(1));
  if (supervised && !process.connected) process.exit(1);
  process.on("message", (message: ProcessesMessage) => {
    if (message.type === "processes") options.onProcesses?.(message);
  });
  return {
    supervised,
    /** Reports to the supervisor that this process does its work now. */
    ready: (facts: { url?: string; metrics?: number } = {}) =>
      tellParent({ type: "ready", ...facts } satisfies ChildMessage),
  };
}
