import { setTimeout as sleep } from "node:timers/promises";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import type { Logger } from "pino";
import { choosePorts } from "./ports.ts";
import { connectionOptions } from "./connect.ts";
import { type Asked, diagnose } from "./diagnosis.ts";
import { createReminder, createRepeats } from "./reminder.ts";

/**
 * An expected warning of the SDK about every worker: by design, each runs only workflows or only
 * activities.
 */
const EXPECTED = /^No (activities|workflows) registered/;
/** Any free port; no variable sets it. */
const ANY_PORT = { ip: "127.0.0.1", port: 0, variable: "none", ipVariable: "none" };
const ASK_AGAIN_MS = 500;
const ANSWER_WITHIN_MS = 5_000;
const LEVELS = {
  TRACE: "trace",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
} as const;

/**
 * Call once in each process with a Worker, before its first connection. The SDK then logs through `log`, what its
 * core repeats at most once a minute, and leaves signals to the process. Returns the port of loopback at which the
 * SDK's metrics are served.
 */
export async function installRuntime(log: Logger): Promise<number> {
  const [port = 0] = await choosePorts([ANY_PORT]);
  // While Temporal is away, each poll of the SDK's core warns at every try, with the number of its tries.
  const isDue = createRepeats();
  const logger = new DefaultLogger(
    log.isLevelEnabled("debug") ? "DEBUG" : "WARN",
    ({ level, message, meta: { error, ...meta } = {} }) => {
      const repeated =
        meta["sdkComponent"] === "core" && !isDue(message.replace(/\d+/g, "n"));
      const quiet = repeated || EXPECTED.test(message);
      // pino writes an error with its message only under the name `err`.
      log[quiet ? "debug" : LEVELS[level]](
        { ...meta, ...(error === undefined ? {} : { err: error }) },
        message,
      );
    },
  );
  const prometheus = {
    bindAddress: `127.0.0.1:${port}`,
    countersTotalSuffix: true,
    unitSuffix: true,
    useSecondsForDurations: true,
  };
  Runtime.install({
    logger,
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: { level: "WARN" } },
      metrics: { prometheus },
    },
  });
  return port;
}

/** Returns the SDK's metrics of this process, in Prometheus' text format. */
export async function ownMetrics(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
    signal: AbortSignal.timeout(5_000),
  });
  return answer.text();
}

type Waiting = {
  asked: Asked;
  log: Logger;
  /** Ends the wait with an error. */
  signal?: AbortSignal;
  /** Whether this process tells in its log why it waits; the supervisor does so for its children. */
  alone?: boolean;
};

/** Connects a worker once Temporal answers for the namespace (the SDK alone fails at once). */
export async function workerConnection(waiting: Waiting): Promise<NativeConnection> {
  const { asked, log, signal, alone = false } = waiting;
  const address = asked.settings.temporalAddress;
  const reminder = createReminder();
  for (;;) {
    try {
      const connection = await connected(asked);
      if (reminder.over() && alone) log.info(`Temporal at ${address} answers`);
      return connection;
    } catch (error) {
      signal?.throwIfAborted();
      const { kind, said } = await problemOf(error, waiting);
      if (reminder.isDue(kind))
        log[alone ? "warn" : "debug"](`Waiting for Temporal: ${said}`);
    }
    await sleep(ASK_AGAIN_MS, undefined, signal && { signal });
  }
}

async function problemOf(error: unknown, { alone, asked }: Waiting) {
  if (!alone) return { kind: String(error), said: String(error) };
  const { kind, reason } = await diagnose(error, asked);
  return { kind, said: reason.en };
}

async function connected({ settings, namespace }: Asked): Promise<NativeConnection> {
  const connection = await NativeConnection.connect(connectionOptions(settings));
  try {
    await connection.withDeadline(Date.now() + ANSWER_WITHIN_MS, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}
