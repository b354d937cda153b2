import { Client } from "@temporalio/client";
import { clientConnection } from "../../../temporal/connect.ts";
import { createDeploys, type Change } from "./changed-code.ts";
import { createGate } from "./run-fixture.ts";
import { startFileRig, type FileRig } from "./run-rig.ts";

export type DeployRig = FileRig & {
  /** A client of the first instance's Temporal server. */
  client: Client;
  /**
   * Restarts the orchestrator with these changes in its workflows; without changes, with the workflows
   * of the sources.
   */
  release: (...changes: Change[]) => Promise<void>;
  /** Holds all file declarations until the returned function or `passAll` is called. */
  hold: () => () => void;
  /** Whether a file declaration is held. */
  isHeld: () => boolean;
  /** Releases what is held, and lets every request pass. */
  passAll: () => void;
};

/**
 * Starts two instances. The first one's workflows can be changed, and its reconciler runs every
 * `intervalMs`.
 */
export async function startDeployRig(intervalMs: number): Promise<DeployRig> {
  const deploys = await createDeploys();
  const rig = await startFileRig({
    env: {
      CACHE_DIR: deploys.cacheDir,
      TRANSFER_WORKERS: "1",
      LOG_LEVEL: "info",
      RECONCILE_INTERVAL: `${intervalMs / 1_000}s`,
    },
  }).catch((error: unknown) => {
    deploys.remove();
    throw error;
  });
  const connection = clientConnection({
    temporalAddress: rig.center.endpoints().temporal,
  });
  const held: (() => void)[] = [];
  const isDeclaration = (path: string) => path.includes("/sync/v1/files/");
  return {
    ...rig,
    client: new Client({ connection }),
    async release(...changes) {
      await deploys.deploy(...changes);
      await rig.center.kill("orchestrator");
      await rig.center.ready();
    },
    hold() {
      const { until, letGo } = createGate();
      held.push(letGo);
      rig.proxy.fault = ({ path }) =>
        isDeclaration(path) ? { kind: "hold", until } : null;
      return letGo;
    },
    isHeld: () =>
      rig.proxy.requests.some(
        ({ path, closed: over }) => isDeclaration(path) && over === null,
      ),
    passAll() {
      for (const letGo of held.splice(0)) letGo();
      rig.proxy.fault = () => null;
    },
    async end() {
      await connection.close();
      await rig.end();
      deploys.remove();
    },
  };
}
