/** The supervisor's state: what it knows of its child processes, and how it reports a change of them. */

import type { Logger } from "pino";
import type { Instance } from "./activities/secrets/instance.ts";
import {
  newWorkerSecret,
  type WorkerIdentity,
} from "./activities/secrets/worker-token.ts";
import type { Config } from "./config.ts";
import type { Text } from "./domain/text.ts";
import type { ChildMessage, ProcessesMessage } from "./lifecycle.ts";
import { keepRunning, type Kept, type Started } from "./temporal/keep.ts";
import type { Note } from "./temporal/note.ts";
import type { Ledger } from "./temporal/process.ts";

/** Kinds of child processes of the supervisor. */
export type Kind = "worker" | "orchestrator" | "control" | "temporal";

export type Supervisor = {
  config: Config;
  log: Logger;
  instance: Instance;
  /** Identities of the workers that it starts, made anew at each start. */
  ownWorkers: readonly WorkerIdentity[];
  ledger: Ledger;
  /** The file `endpoints.json` with addresses and pids. */
  endpoints: Note;
  stopping: AbortSignal;
  kept: Record<Kind, Kept[]>;
  /** Port of the metrics of each process, by the process's name. */
  metrics: Map<string, number>;
  /** State of Temporal, embedded or not. */
  temporal: {
    address: string;
    ui: string | null;
    searchAttributes: boolean;
    isUp: () => boolean;
    /** Why it does not answer; null while it answers. */
    problem: () => Text | null;
  };
  /** Address of the control plane, known once it was first up; a restart keeps the port. */
  apiUrl: string | undefined;
  announced: boolean;
  /** Ends everything with exit code 1; the reason is the last line that is shown. */
  fail: (reason: string) => void;
};

/** Returns the state of a supervisor that has started nothing yet. */
export const createSupervisor = (
  given: Pick<
    Supervisor,
    "config" | "log" | "instance" | "ledger" | "endpoints" | "stopping" | "fail"
  >,
): Supervisor => ({
  ...given,
  ownWorkers: Array.from({ length: given.config.transferWorkers }, (_, at) => ({
    id: `own-${at + 1}`,
    secret: newWorkerSecret(),
  })),
  kept: { worker: [], orchestrator: [], control: [], temporal: [] },
  metrics: new Map(),
  temporal: {
    address: "",
    ui: null,
    searchAttributes: false,
    isUp: () => false,
    problem: () => null,
  },
  apiUrl: undefined,
  announced: false,
});

/**
 * Keeps a process running, and notes its pid in the ledger (temporal/process.ts), so that a later start can
 * find it.
 */
export function keep(
  supervisor: Supervisor,
  kind: Kind,
  begin: () => Started,
  name: string = kind,
): Kept {
  const { log } = supervisor;
  let wasUp = false;
  const one = keepRunning({
    name,
    log,
    until: supervisor.stopping,
    onChange: () => changed(supervisor),
    start: () => {
      const started = begin();
      if (started.child.pid !== undefined)
        supervisor.ledger.note(name, started.child.pid);
      started.child.on("message", (message: ChildMessage) => {
        if (message.type === "ready") {
          wasUp = true;
          if (message.metrics !== undefined)
            supervisor.metrics.set(name, message.metrics);
        } else if (wasUp) {
          // What worked once can work again, when a disk has space again for example.
          log.error({ name }, message.reason);
          started.child.kill("SIGKILL");
        } else supervisor.fail(message.reason);
      });
      return started;
    },
  });
  supervisor.kept[kind].push(one);
  return one;
}

/**
 * Call this after every change of a process or of Temporal: it reports the change to the control plane.
 * Once all processes have been up at the same time, it also writes addresses and pids to `endpoints.json`.
 */
export function changed(supervisor: Supervisor): void {
  const { kept, temporal, stopping } = supervisor;
  const [control] = kept.control;
  const [orchestrator] = kept.orchestrator;
  if (stopping.aborted || !control || !orchestrator) return;
  const message: ProcessesMessage = {
    type: "processes",
    temporal: temporal.isUp(),
    temporalProblem: temporal.problem(),
    temporalUi: temporal.ui,
    searchAttributes: temporal.searchAttributes,
    orchestrator: orchestrator.isUp(),
    workers: kept.worker.filter((one) => one.isUp()).length,
    metrics: [...kept.orchestrator, ...kept.worker].flatMap((one) => {
      const port = one.isUp() ? supervisor.metrics.get(one.name) : undefined;
      return port === undefined ? [] : [{ process: one.name, port }];
    }),
  };
  control.send(message);
  const allUp =
    temporal.isUp() &&
    Object.values(kept)
      .flat()
      .every((one) => one.isUp());
  if (!supervisor.announced && !allUp) return;
  writeEndpoints(supervisor);
  if (!supervisor.announced) announce(supervisor);
  supervisor.announced = true;
}

function writeEndpoints({ endpoints, kept, temporal, apiUrl }: Supervisor): void {
  endpoints.write({
    api: apiUrl,
    docs: `${apiUrl}/docs`,
    temporal: temporal.address,
    temporalUi: temporal.ui,
    pids: {
      supervisor: process.pid,
      control: kept.control[0]?.pid() ?? null,
      orchestrator: kept.orchestrator[0]?.pid() ?? null,
      workers: kept.worker.map((one) => one.pid() ?? null),
      temporal: kept.temporal[0]?.pid() ?? null,
    },
  });
}

function announce({ config, instance, temporal, apiUrl }: Supervisor): void {
  const password = instance.adminPasswordFile
    ? `password in ${instance.adminPasswordFile}`
    : "password as given";
  const lines = [
    "Artifact replication is ready.",
    `  API          ${apiUrl}`,
    `  API docs     ${apiUrl}/docs`,
    `  Temporal     ${temporal.ui ?? temporal.address}`,
    `  Login        ${config.adminUsername}, ${password}`,
    "Ctrl-C ends it.",
  ];
  process.stdout.write(`\n${lines.join("\n")}\n\n`);
}
