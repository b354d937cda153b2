import pLimit from "p-limit";
import { listClusters, setClusterHealth } from "../../db/tasks/clusters.ts";
import { accessOf } from "./actions.ts";
import type { ApiDeps } from "../deps.ts";

const AT_ONCE = 8;

type HealthDeps = Pick<ApiDeps, "db" | "sealer" | "checkCluster" | "now" | "logger"> & {
  /** Notes how long the test of a cluster took (ms). */
  paces: { note: (clusterId: string, waitMs: number) => void };
  /** Called after the test of a cluster; `refused`: the cluster does not accept the credentials. */
  checked?: (clusterId: string, refused: boolean) => void;
};

/**
 * Tests the connection once to each cluster whose detectType is PING, and stores whether the
 * cluster is HEALTHY, else why not.
 */
export async function checkClusters({
  db,
  sealer,
  checkCluster,
  checked,
  now,
  logger,
  paces,
}: HealthDeps): Promise<void> {
  const limit = pLimit(AT_ONCE);
  const watched = listClusters(db).filter(({ detectType }) => detectType === "PING");
  await limit.map(watched, async (row) => {
    const begun = performance.now();
    const problem = await checkCluster(accessOf(sealer, row), { watch: true });
    paces.note(row.id, performance.now() - begun);
    const reason = problem?.reason.en ?? null;
    if ((reason === null) !== (row.status === "HEALTHY")) {
      logger.info(
        { cluster: row.name, reason },
        reason === null ? "cluster is healthy again" : "cluster is unhealthy",
      );
    }
    setClusterHealth(db, row, reason, now());
    checked?.(row.id, problem?.refused ?? false);
  });
}
