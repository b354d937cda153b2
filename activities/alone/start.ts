import { hostname } from "node:os";
import { context, propagation, ROOT_CONTEXT } from "@opentelemetry/api";
import { loadConfig } from "../../config.ts";
import { toTransferError } from "../../domain/failure.ts";
import { tellParent } from "../../lifecycle.ts";
import { createLog } from "../../logs.ts";
import { openTracing } from "../../temporal/tracing.ts";
import { createControlPlane } from "../control-plane.ts";
import { runBatch } from "../transfer/batch.ts";
import { whenReachable } from "../transfer/context.ts";
import { openBatchDeps } from "../worker-deps.ts";
import type { AloneMessage } from "./messages.ts";

/**
 * Entry point of a process that sends a single batch. Its arguments are the batch's record id, number
 * and trace. It exits when the worker that started it is gone.
 */
const [recordId = "", number = "", traceparent = ""] = process.argv.slice(2);
const config = loadConfig(process.env, ["apiUrl", "workerToken"]);
const log = createLog("alone", config);
const tracing = await openTracing("alone", config, log);
const ended = new AbortController();
process.on("disconnect", () => process.exit(1));

const say = (message: AloneMessage) => tellParent(message);
const controlPlane = createControlPlane({
  ...config,
  identity: config.workerToken,
  name: `${hostname()}/${process.ppid}`,
});

try {
  say({ type: "alive" });
  const ask = {
    recordId,
    number: Number(number),
    signal: ended.signal,
    heartbeat: () => say({ type: "alive" }),
  };
  const settings = await whenReachable(ask, () => controlPlane.settings());
  const deps = openBatchDeps(config, controlPlane, config.workerToken, settings);
  const result = await context
    .with(propagation.extract(ROOT_CONTEXT, { traceparent }), () => runBatch(deps, ask))
    .finally(() => tracing?.end());
  say({ type: "done", result });
} catch (error) {
  const { kind, message } = toTransferError(error);
  say({ type: kind === "refused" ? "refused" : "failed", reason: message });
}
