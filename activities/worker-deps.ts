import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Budgets } from "../domain/budgets.ts";
import type { WorkerSettings } from "../domain/worker-messages.ts";
import type { ControlPlane } from "./control-plane.ts";
import { createRegistryTokens } from "./secrets/registry-token.ts";
import { createSealer } from "./secrets/seal.ts";
import { layout } from "./store/layout.ts";
import { createContentSource } from "./store/source.ts";
import type { Route } from "./transfer/work.ts";
import { createPool } from "./transfer/pool.ts";
import type { BatchDeps } from "./transfer/context.ts";

/** Settings of a process that sends batches. */
type WorkerConfig = {
  apiUrl: string;
  apiBeside: boolean;
  secretKey: string;
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
  { instanceId }: Pick<WorkerSettings, "instanceId">,
): BatchDeps & { beside: boolean } {
  const instanceFile = join(config.dataDir, "instance-id");
  const beside =
    existsSync(instanceFile) && readFileSync(instanceFile, "utf8").trim() === instanceId;
  return {
    beside,
    controlPlane,
    sealer: createSealer(config.secretKey),
    content: createContentSource({
      local: beside ? layout(config.dataDir) : null,
      call: controlPlane.open,
    }),
    images: { ...apiOf(config), tokens: createRegistryTokens(config.secretKey) },
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
