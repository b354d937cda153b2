import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import type { Logger } from "pino";
import type { Binary } from "./binary.ts";
import { clientConnection, untilItAnswers } from "./connect.ts";
import type { Started } from "./keep.ts";
import { choosePorts, reachable, type WantedPort } from "./ports.ts";

const START_WITHIN_MS = 120_000;
/**
 * Settings of the dev server. By default, its only history shard reads its queues 20 times a second, and
 * each step of each workflow would wait for that.
 */
const DYNAMIC_CONFIG = [
  ...["transfer", "timer", "visibility"].map(
    (queue) => `history.${queue}ProcessorMaxPollRPS=2000`,
  ),
  // Projects take turns in a queue. Fairness holds within a partition, so there is one partition.
  "matching.enableFairness=true",
  ...["Read", "Write"].map((kind) => `matching.numTaskqueue${kind}Partitions=1`),
];
const SWITCHES = [
  "--ui-disable-news-fetch",
  "--disable-config-env",
  "--disable-config-file",
];
const PRAGMAS = ["journal_mode=WAL", "synchronous=NORMAL"];

/** The addresses of the embedded server, which its restarts do not change. */
type Place = {
  bind: string;
  port: number;
  uiPort: number;
  address: string;
  ui: string;
};

type PlaceSettings = {
  temporalBind: string;
  temporalPort: number;
  temporalUiPort: number;
};

/** Returns the ports of the server and of its UI. */
export function serverPorts(settings: PlaceSettings): WantedPort[] {
  const place = { ip: settings.temporalBind, ipVariable: "TEMPORAL_BIND" };
  return [
    { ...place, port: settings.temporalPort, variable: "TEMPORAL_PORT" },
    { ...place, port: settings.temporalUiPort, variable: "TEMPORAL_UI_PORT" },
  ];
}

/** Chooses the server's ports, and warns when other machines can reach it. */
export async function choosePlace(settings: PlaceSettings, log: Logger): Promise<Place> {
  const { temporalBind } = settings;
  const [port = 0, uiPort = 0] = await choosePorts(serverPorts(settings));
  if (!/^(127\.|::1$)/.test(temporalBind)) {
    log.warn(
      `TEMPORAL_BIND is ${temporalBind}: the embedded Temporal server has no authentication, ` +
        "so everyone who can reach it controls every run",
    );
  }
  const host = reachable(temporalBind);
  return {
    bind: temporalBind,
    port,
    uiPort,
    address: `${host}:${port}`,
    ui: `http://${host}:${uiPort}`,
  };
}

type ServerOptions = {
  binary: Binary;
  place: Place;
  /** Folder of the server's database. */
  dataDir: string;
  namespace: string;
  /** For how long (ms) the server keeps closed runs. */
  retention: number;
  log: Logger;
  /** Once this signal aborts, warnings and errors of the server are logged at level debug. */
  stopping: AbortSignal;
};

/**
 * Starts the embedded server. It is ready when it answers and its retention of closed runs is set. It has a
 * process group of its own, so that Ctrl-C does not reach it before the workers have ended.
 */
export function startServer({
  binary,
  place,
  dataDir,
  namespace,
  retention,
  log,
  stopping,
}: ServerOptions): Started {
  // Each version of the CLI gets its own file: it has no migrations and cannot open the file of another
  // version.
  const database = join(dataDir, `temporal-${binary.version}.db`);
  const flags = {
    "--ip": [place.bind],
    "--port": [`${place.port}`],
    "--ui-port": [`${place.uiPort}`],
    "--db-filename": [database],
    "--namespace": [namespace],
    "--log-level": ["warn"],
    "--log-format": ["json"],
    "--sqlite-pragma": PRAGMAS,
    "--dynamic-config-value": DYNAMIC_CONFIG,
  };
  const args = Object.entries(flags).flatMap(([flag, values]) =>
    values.flatMap((value) => [flag, value]),
  );
  const child = spawn(binary.path, ["server", "start-dev", ...SWITCHES, ...args], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  forwardLog(child, log, stopping);
  const connection = clientConnection({ temporalAddress: place.address });
  const ready = untilReady(connection, namespace, retention).finally(() =>
    connection.close(),
  );
  return { child, ready };
}

async function untilReady(
  connection: Connection,
  namespace: string,
  retention: number,
): Promise<void> {
  await untilItAnswers(connection, namespace, START_WITHIN_MS);
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: msToTs(retention) },
  });
}

/**
 * Writes the warnings and errors of the embedded server to the log of this process, at level debug once
 * `stopping` has aborted.
 */
function forwardLog(child: ChildProcess, log: Logger, stopping: AbortSignal): void {
  if (!child.stderr) return;
  createInterface({ input: child.stderr }).on("line", (line) => {
    const { msg, level, ...rest } = parsed(line);
    const as = stopping.aborted ? "debug" : level === "ERROR" ? "error" : "warn";
    log[as]({ server: rest }, `Temporal: ${msg}`);
  });
}

function parsed(line: string): { msg: string; level?: string } {
  try {
    return JSON.parse(line) as { msg: string; level?: string };
  } catch {
    return { msg: line };
  }
}
