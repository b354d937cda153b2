import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { loadConfig } from "../../../config.ts";
import { findBinary } from "../../../temporal/binary.ts";
import { clientConnection, untilItAnswers } from "../../../temporal/connect.ts";
import { freePort } from "../../rigs/servers/process.ts";

/** Starts a Temporal server that suggests continuing as new after only `events` events. */
export async function startImpatientServer(
  events: number,
): Promise<{ address: string; stop: () => Promise<void> }> {
  const { cacheDir, temporalCliPath } = loadConfig(process.env);
  const binary = await findBinary({
    cliPath: temporalCliPath,
    cacheDir,
    proxy: {},
    log: pino({ level: "info" }),
  });
  const folder = mkdtempSync(join(tmpdir(), "histories-"));
  const port = await freePort();
  const values = [
    `limit.historyCount.suggestContinueAsNew=${events}`,
    ...["transfer", "timer", "visibility"].map(
      (queue) => `history.${queue}ProcessorMaxPollRPS=2000`,
    ),
  ];
  const args = [
    "--headless",
    "--port",
    String(port),
    "--db-filename",
    join(folder, "temporal.db"),
    "--log-level",
    "error",
  ];
  const child = spawn(
    binary.path,
    [
      "server",
      "start-dev",
      ...args,
      ...values.flatMap((value) => ["--dynamic-config-value", value]),
    ],
    { stdio: "ignore" },
  );
  const address = `127.0.0.1:${port}`;
  const connection = clientConnection({ temporalAddress: address });
  await untilItAnswers(connection, "default", 60_000);
  await connection.close();
  return {
    address,
    async stop() {
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
