import { setTimeout as sleep } from "node:timers/promises";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import type { Logger } from "pino";
import { choosePorts } from "./ports.ts";
import { connectionOptions, type TemporalSettings } from "./connect.ts";

/**
 * An expected warning of the SDK about every worker: by design, each runs only workflows or only
 * activities.
 */
const EXPECTED = /^No (activities|workflows) registered/;
const LEVELS = {
  TRACE: "trace",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
} as const;

/**
 * Call once in each process with a Worker, before its first connection. The SDK then logs through `log` and leaves
 * signals to the process. Returns the port of loopback at which the SDK's metrics are served.
 */
export async function installRuntime(log: Logger): Promise<number> {
  const [port = 0] = await choosePorts("127.0.0.1", [{ port: 0, variable: "none" }]);
  const logger = new DefaultLogger(
    log.isLevelEnabled("debug") ? "DEBUG" : "WARN",
    ({ level, message, meta: { error, ...meta } = {} }) => {
      // pino writes an error with its message only under the name `err`.
      log[EXPECTED.test(message) ? "debug" : LEVELS[level]](
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

/** Connects a worker; waits at most a minute for a Temporal that is away (the SDK alone fails at once). */
export async function workerConnection(
  settings: TemporalSettings,
  log: Logger,
): Promise<NativeConnection> {
  for (const end = Date.now() + 60_000; ; await sleep(500)) {
    try {
      return await NativeConnection.connect(connectionOptions(settings));
    } catch (error) {
      if (Date.now() > end) throw error;
      log.debug(
        { reason: String(error) },
        `Temporal at ${settings.temporalAddress} does not answer yet`,
      );
    }
  }
}
