import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { TestProject } from "vitest/node";
import { loadConfig } from "../../config.ts";
import { ensureSearchAttributes } from "../../temporal/attributes.ts";
import { findBinary } from "../../temporal/binary.ts";
import { clientConnection } from "../../temporal/connect.ts";
import { choosePlace, startServer } from "../../temporal/server.ts";
import { ATTRIBUTES } from "../../workflows/contract.ts";
import { compileOnce } from "../rigs/runs/program.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** host:port of the test run's one Temporal server; its namespace is `default`. */
    temporalAddress: string;
  }
}

const NAMESPACE = "default";
const DAY = 86_400_000;
const log = pino(
  { level: "info" },
  {
    write: (line: string) =>
      process.stderr.write(`${(JSON.parse(line) as { msg: string }).msg}\n`),
  },
);

/**
 * Compiles the product and starts one Temporal server for the whole test run, as the product does, in a folder that is
 * deleted at the end.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  compileOnce();
  const { cacheDir, temporalCliPath, httpsProxy, httpProxy, noProxy } = loadConfig(
    process.env,
  );
  const proxy = { httpsProxy, httpProxy, noProxy };
  const binary = await findBinary({ cliPath: temporalCliPath, cacheDir, proxy, log });
  const place = await choosePlace(
    { temporalBind: "127.0.0.1", temporalPort: 0, temporalUiPort: 0 },
    log,
  );
  const dataDir = mkdtempSync(join(tmpdir(), "temporal-test-"));
  const stopping = new AbortController();
  const { child, ready } = startServer({
    binary,
    place,
    dataDir,
    namespace: NAMESPACE,
    retention: DAY,
    log,
    stopping: stopping.signal,
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await ready;
  const connection = clientConnection({ temporalAddress: place.address });
  await ensureSearchAttributes(connection, NAMESPACE, Object.values(ATTRIBUTES), log);
  await connection.close();
  project.provide("temporalAddress", place.address);
  return async () => {
    stopping.abort();
    child.kill("SIGKILL");
    await ended;
    rmSync(dataDir, { recursive: true, force: true });
  };
}
