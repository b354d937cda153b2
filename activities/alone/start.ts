import { hostname } from "node:os";
import { loadConfig } from "../../config.ts";
import { toTransferError } from "../../domain/failure.ts";
import { createControlPlane } from "../control-plane.ts";
import { runBatch } from "../transfer/batch.ts";
import { openBatchDeps } from "../worker-deps.ts";
import type { AloneMessage } from "./messages.ts";

/** A process for one batch, whose record and number are its arguments; it ends with the worker that started it. */
const [recordId = "", number = ""] = process.argv.slice(2);
const config = loadConfig(process.env, ["apiUrl", "secretKey"]);
const ended = new AbortController();
process.on("disconnect", () => process.exit(1));

const say = (message: AloneMessage) => void process.send?.(message);
const controlPlane = createControlPlane({ ...config, name: `${hostname()}/${process.ppid}` });

try {
  say({ type: "alive" });
  const deps = openBatchDeps(config, controlPlane, await controlPlane.settings());
  const ask = { recordId, number: Number(number), signal: ended.signal, heartbeat: () => say({ type: "alive" }) };
  say({ type: "done", result: await runBatch(deps, ask) });
} catch (error) {
  say({ type: "failed", reason: toTransferError(error).message });
}
