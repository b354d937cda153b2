import { setTimeout as sleep } from "node:timers/promises";
import { Connection } from "@temporalio/client";
import type { Logger } from "pino";
import { text, type Text } from "../domain/text.ts";
import { type Asked, diagnose, type TemporalSettings } from "./diagnosis.ts";
import { createReminder } from "./reminder.ts";
import { elapsed } from "../domain/elapsed.ts";

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

/** Returns, in about 2 s, the error with which Temporal answers for the namespace; undefined when all is well. */
async function errorOf(connection: Connection, namespace: string): Promise<unknown> {
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Resolves once Temporal answers; gives up with an error after `withinMs`. */
export async function untilItAnswers(
  connection: Connection,
  namespace: string,
  withinMs: number,
): Promise<void> {
  for (const end = elapsed() + withinMs; ; await sleep(100)) {
    const error = await errorOf(connection, namespace);
    if (error === undefined) return;
    if (elapsed() > end)
      throw new Error(`Temporal does not answer after ${withinMs / 1_000} s: ${error}`);
  }
}

type Watch = { isUp: () => boolean; problem: () => Text | null; stop: () => void };
type WatchOptions = {
  asked: Asked;
  log: Logger;
  onUp: () => Promise<void>;
  onChange: () => void;
};

const LOOK_MS = 3_000;
const LOOK_AGAIN_MS = 500;
/** How often the reason of an outage is looked for. */
const DIAGNOSE_MS = 20_000;
/** Missed answers in a row that count as an outage; one late answer does not. */
const MISSES = 2;

/**
 * Checks every 3 s, after a missed answer sooner, whether a server answers, embedded or not. A server that
 * answers counts as up once `onUp` has ended. Why it does not answer is logged at once and then once a minute.
 */
export function watchTemporal(connection: Connection, options: WatchOptions): Watch {
  const { asked, log, onUp, onChange } = options;
  const address = connection.options.address;
  const problem = watchProblem(options, address);
  let up: boolean | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let missed = 0;
  const look = async () => {
    const error = await errorOf(connection, asked.namespace);
    missed = error === undefined ? 0 : missed + 1;
    const now = error === undefined || (up === true && missed < MISSES);
    if (stopped) return;
    if (now && !up) await onUp();
    if (now) problem.over();
    else problem.found(error);
    if (now !== up) {
      up = now;
      if (now) log.info(`Temporal at ${address} answers`);
      onChange();
    }
  };
  const keepLooking = async () => {
    try {
      await look();
    } catch (failure) {
      tellFailure(log, failure);
    }
    if (stopped) return;
    timer = setTimeout(keepLooking, missed > 0 && up ? LOOK_AGAIN_MS : LOOK_MS);
  };
  void keepLooking();
  return {
    isUp: () => up === true,
    problem: problem.now,
    stop() {
      stopped = true;
      clearTimeout(timer);
      problem.over();
    },
  };
}

/** Logs that a look failed itself, which must not end the process. */
const tellFailure = (log: Logger, error: unknown): void =>
  log.error({ err: error }, "the look whether Temporal answers failed");

/** Finds out and tells why Temporal does not answer, beside the looks, because that may take seconds. */
function watchProblem({ asked, log, onChange }: WatchOptions, address: string) {
  const reminder = createReminder();
  let current: Text | null = null;
  let looked = Number.NEGATIVE_INFINITY;
  const look = async (error: unknown) => {
    try {
      const { kind, reason } = await diagnose(error, asked);
      if (current === null) return;
      current = reason;
      if (reminder.isDue(kind)) log.warn(`Waiting for Temporal: ${reason.en}`);
      onChange();
    } catch (failure) {
      tellFailure(log, failure);
    }
  };
  return {
    now: () => current,
    found(error: unknown): void {
      current ??= text(
        `Temporal at ${address} does not answer yet`,
        `${address} 上的 Temporal 尚未应答`,
      );
      if (elapsed() - looked < DIAGNOSE_MS) return;
      looked = elapsed();
      void look(error);
    },
    over(): void {
      current = null;
      looked = 0;
      reminder.over();
    },
  };
}
