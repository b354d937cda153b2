import { setTimeout as sleep } from "node:timers/promises";
import { DefaultLogger, NativeConnection, Runtime } from "@temporalio/worker";
import type { Logger } from "pino";
import { choosePorts } from "./ports.ts";
import { connectionOptions, type TemporalSettings } from "./connect.ts";

/** Said of each worker: by design, each runs only workflows or only activities. */
const EXPECTED = /^No (activities|workflows) registered/;
const LEVELS = { TRACE: "trace", DEBUG: "debug", INFO: "info", WARN: "warn", ERROR: "error" } as const;

/**
 * Once in each process that has a Worker, before its first connection: the SDK logs as we do, and leaves signals to the
 * process. Answers the port of loopback at which its numbers stand.
 */
export async function installRuntime(log: Logger): Promise<number> {
  const [port = 0] = await choosePorts("127.0.0.1", [{ port: 0, variable: "none" }]);
  const logger = new DefaultLogger(
    log.isLevelEnabled("debug") ? "DEBUG" : "WARN",
    ({ level, message, meta: { error, ...meta } = {} }) => {
      // Only as `err` is an error written with its message.
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
    telemetryOptions: { logging: { forward: { level: "WARN" } }, metrics: { prometheus } },
  });
  return port;
}

/** What the SDK counts in this process, in Prometheus' text format. */
export async function ownMetrics(port: number): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(5_000) });
  return answer.text();
}

/** A worker's connection; waits for a Temporal that is away (the SDK itself gives up at once), at most a minute. */
export async function workerConnection(settings: TemporalSettings, log: Logger): Promise<NativeConnection> {
  for (const end = Date.now() + 60_000; ; await sleep(500)) {
    try {
      return await NativeConnection.connect(connectionOptions(settings));
    } catch (error) {
      if (Date.now() > end) throw error;
      log.debug({ reason: String(error) }, `Temporal at ${settings.temporalAddress} does not answer yet`);
    }
  }
}
