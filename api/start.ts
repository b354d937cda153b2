import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { pino } from "pino";
import { createAddressGuard } from "../activities/registries/addresses.ts";
import { createSealer } from "../activities/secrets/seal.ts";
import { loadConfig, superviseChild } from "../config.ts";
import { openDb } from "../db/open.ts";
import { createApp } from "./app.ts";
import type { Executions, Processes } from "./deps.ts";
import { fail } from "./errors.ts";

const config = loadConfig(process.env, ["secretKey", "adminPassword"]);
const logger = pino({ level: config.logLevel });
mkdirSync(config.dataDir, { recursive: true });
const db = openDb(join(config.dataDir, "replication.db"));

let processes: Processes = { temporal: false, orchestrator: false, workers: 0 };

/** Until Temporal is connected nothing runs. */
const executions: Executions = {
  start: async () => fail(250307),
  stop: async () => false,
  cancelAndWait: async () => undefined,
  taskSaved: async () => undefined,
  taskDeleted: async () => undefined,
};

const app = createApp({
  db,
  sealer: createSealer(config.secretKey),
  now: Date.now,
  zone: config.timeZone,
  localClusterName: config.localClusterName,
  publicUrl: config.publicUrl ?? null,
  admin: { username: config.adminUsername, password: config.adminPassword },
  maxJsonBody: config.maxJsonBody,
  processes: () => processes,
  executions,
  checkCluster: async () => null,
  checkHost: createAddressGuard(config.allowedAddresses).checkHost,
  logger: {
    debug: (facts, message) => logger.debug(facts, message),
    info: (facts, message) => logger.info(facts, message),
    warn: (facts, message) => logger.warn(facts, message),
    error: (facts, message) => logger.error(facts, message),
  },
});

const server = serve({ fetch: app.fetch, hostname: config.host, port: config.port }, (address) => child.ready({ url: urlOf(address) }));

const child = superviseChild({
  stop: async () => {
    await new Promise((resolve) => server.close(resolve));
    db.$client.close();
  },
  onProcesses: (message) => {
    processes = message;
  },
});

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}
