import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Budgets } from "../domain/budgets.ts";
import type { WorkerSettings } from "../domain/worker-messages.ts";
import type { ControlPlane } from "./control-plane.ts";
import { createSealer } from "./secrets/seal.ts";
import type { WorkerIdentity } from "./secrets/worker-token.ts";
import { layout } from "./store/layout.ts";
import { createContentSource } from "./store/source.ts";
import type { Route } from "./transfer/work.ts";
import { createPool } from "./transfer/pool.ts";
import type { BatchDeps } from "./transfer/context.ts";

/** Settings of a process that sends batches. */
type WorkerConfig = {
  apiUrl: string;
  apiBeside: boolean;
  dataDir: string;
  allowedAddresses: readonly string[];
  budgets: Budgets;
  httpsProxy?: string | undefined;
  noProxy?: string | undefined;
  transferConcurrency: number;
  batchSlice: number;
};

/**
 * Opens everything that a process needs to send batches. `beside` in the result: whether the contents of
 * hosted repositories are on this machine's disk.
 */
export function openBatchDeps(
  config: WorkerConfig,
  controlPlane: ControlPlane,
  identity: WorkerIdentity,
  { instanceId }: Pick<WorkerSettings, "instanceId">,
): BatchDeps & { beside: boolean } {
  const instanceFile = join(config.dataDir, "instance-id");
  const beside =
    existsSync(instanceFile) && readFileSync(instanceFile, "utf8").trim() === instanceId;
  return {
    beside,
    controlPlane,
    sealer: createSealer(identity.secret),
    content: createContentSource({
      local: beside ? layout(config.dataDir) : null,
      call: controlPlane.open,
    }),
    ...apiOf(config),
    network: {
      allowedAddresses: config.allowedAddresses,
      budgets: config.budgets,
      proxy: config.httpsProxy
        ? { url: config.httpsProxy, noProxy: config.noProxy ?? "" }
        : null,
    },
    concurrency: config.transferConcurrency,
    routes: createPool<Route>((route) => route.close()),
    batchSlice: config.batchSlice,
  };
}

const apiOf = ({ apiUrl, apiBeside }: WorkerConfig) => ({ apiUrl, apiBeside });
