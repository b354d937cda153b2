import { setTimeout as sleep } from "node:timers/promises";
import { Connection, type ConnectionOptions } from "@temporalio/client";
import type { Logger } from "pino";

/** The settings for reaching Temporal, a part of `Config`. */
export type TemporalSettings = {
  temporalAddress: string;
  temporalApiKey?: string | undefined;
  temporalTls?: ConnectionOptions["tls"] | undefined;
};

/** Returns the options that the SDK's client and worker connections share. */
export function connectionOptions({
  temporalAddress,
  temporalApiKey,
  temporalTls,
}: TemporalSettings) {
  return {
    address: temporalAddress,
    tls: temporalTls ?? false,
    ...(temporalApiKey !== undefined && { apiKey: temporalApiKey }),
  };
}

/**
 * Returns a client connection that connects at first use, and is back about 2 s after Temporal is (gRPC
 * alone waits up to 2 minutes).
 */
export function clientConnection(settings: TemporalSettings): Connection {
  return Connection.lazy({
    ...connectionOptions(settings),
    channelArgs: {
      "grpc.initial_reconnect_backoff_ms": 200,
      "grpc.max_reconnect_backoff_ms": 2_000,
    },
  });
}

/** Returns, within 2 s, why Temporal does not answer for the namespace; undefined when it answers. */
async function problemOf(
  connection: Connection,
  namespace: string,
): Promise<string | undefined> {
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Resolves once Temporal answers; gives up with an error after `withinMs`. */
export async function untilItAnswers(
  connection: Connection,
  namespace: string,
  withinMs: number,
): Promise<void> {
  for (const end = Date.now() + withinMs; ; await sleep(100)) {
    const problem = await problemOf(connection, namespace);
    if (problem === undefined) return;
    if (Date.now() > end)
      throw new Error(`Temporal does not answer after ${withinMs / 1_000} s: ${problem}`);
  }
}

type Watch = { isUp: () => boolean; stop: () => void };
type WatchOptions = {
  namespace: string;
  log: Logger;
  onUp: () => Promise<void>;
  onChange: () => void;
};

const LOOK_MS = 3_000;
const LOOK_AGAIN_MS = 500;
/** Missed answers in a row that count as an outage; one late answer does not. */
const MISSES = 2;

/**
 * Checks every 3 s, after a missed answer sooner, whether a server answers, embedded or not. A server that
 * answers counts as up once `onUp` has ended.
 */
export function watchTemporal(
  connection: Connection,
  { namespace, log, onUp, onChange }: WatchOptions,
): Watch {
  let up: boolean | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let missed = 0;
  const look = async () => {
    const problem = await problemOf(connection, namespace);
    missed = problem === undefined ? 0 : missed + 1;
    const now = problem === undefined || (up === true && missed < MISSES);
    if (stopped) return;
    if (now && !up) await onUp();
    if (now !== up) {
      up = now;
      if (now) log.info(`Temporal at ${connection.options.address} answers`);
      else
        log.warn(
          { reason: problem },
          `Temporal at ${connection.options.address} does not answer`,
        );
      onChange();
    }
    timer = setTimeout(look, missed > 0 && now ? LOOK_AGAIN_MS : LOOK_MS);
  };
  void look();
  return {
    isUp: () => up === true,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
