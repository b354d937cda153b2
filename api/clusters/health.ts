import pLimit from "p-limit";
import { beginCheck, endCheck, unfinishedChecks } from "../../db/tasks/cluster-checks.ts";
import {
  type ClusterRow,
  listClusters,
  setClusterHealth,
} from "../../db/tasks/clusters.ts";
import { clusterOwner } from "../../db/secrets/sealed.ts";
import { keepingRealm } from "../keys/realms.ts";
import { spareWrite } from "../http/spare-write.ts";
import { accessOf } from "./actions.ts";
import type { ApiDeps } from "../deps.ts";
import { elapsed } from "../../domain/elapsed.ts";

const AT_ONCE = 8;
/** So many processes must have ended in the test of a cluster before it is left alone. */
const DEATHS = 3;
/** How long (ms) a cluster is left alone; then it is tested once, by itself. */
const ALONE_MS = 24 * 60 * 60_000;

const ENDS_US =
  "each test of this cluster has ended the service, so it is tested once a day only: check what answers at its " +
  "address, then call cluster/tryConnect";

type HealthDeps = Pick<ApiDeps, "db" | "sealer" | "checkCluster" | "now" | "logger"> & {
  /** Notes how long the test of a cluster took (ms). */
  paces: { note: (clusterId: string, waitMs: number) => void };
  /** Called after the test of a cluster; `refused`: the cluster does not accept the credentials. */
  checked?: (clusterId: string, refused: boolean) => void;
};

/**
 * Tests the connection once to each cluster whose detectType is PING, and stores whether the
 * cluster is HEALTHY, else why not. A cluster in whose test a process has ended is tested by itself, and is left alone
 * for a day after that has happened several times.
 */
export async function checkClusters(deps: HealthDeps): Promise<void> {
  const watched = listClusters(deps.db).filter(({ detectType }) => detectType === "PING");
  const unfinished = unfinishedChecks(deps.db);
  const limit = pLimit(AT_ONCE);
  await limit.map(
    watched.filter(({ id }) => !unfinished.has(id)),
    (row) => check(deps, row),
  );
  for (const row of watched) {
    const suspect = unfinished.get(row.id);
    if (suspect === undefined) continue;
    const isFresh = Math.abs(deps.now() - suspect.last) < ALONE_MS;
    if (isFresh && suspect.deaths >= DEATHS) note(deps, row, ENDS_US);
    else await check(deps, row);
  }
}

async function check(deps: HealthDeps, row: ClusterRow): Promise<void> {
  const { db, sealer, checkCluster, checked, now, paces } = deps;
  const begun = elapsed();
  spareWrite(deps, "the mark of a cluster's test", () => beginCheck(db, row.id, now()));
  const problem = await checkCluster(accessOf(sealer, row), {
    watch: true,
    onRealm: keepingRealm(deps, clusterOwner(row.id), row.url),
  });
  paces.note(row.id, elapsed() - begun);
  spareWrite(deps, "the end of a cluster's test", () => endCheck(db, row.id));
  note(deps, row, problem?.reason.en ?? null);
  checked?.(row.id, problem?.refused ?? false);
}

function note(
  { db, now, logger }: HealthDeps,
  row: ClusterRow,
  reason: string | null,
): void {
  if ((reason === null) !== (row.status === "HEALTHY"))
    logger.info(
      { cluster: row.name, reason },
      reason === null ? "cluster is healthy again" : "cluster is unhealthy",
    );
  setClusterHealth(db, row, reason, now());
}
