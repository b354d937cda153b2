import { and, eq, sql } from "drizzle-orm";
import { type To as End, transferProblem } from "../../domain/capabilities.ts";
import { namedProtocol } from "../../domain/protocols.ts";
import { weightOf } from "../../domain/weight.ts";
import { cut, distinctNames } from "../../domain/run-names.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { planObject } from "../schema/plans.ts";
import { cluster } from "../schema/tasks.ts";
import { snapshotOf } from "../records/snapshots.ts";
import { isSmallRun } from "./small-runs.ts";

/** Above this many object × cluster pairs, a cluster gets one child that walks all objects. */
const MOST_CHILDREN = 300;
/** Reasons that are told of a run in which pairs cannot be sent. */
const MOST_PROBLEMS = 10;

/**
 * `object` null: all of them. `files`: its artifacts are light for that cluster, so that a batch is soon sent. `id`:
 * the names of cluster and object, which no other target of the run has; `cluster`: the cluster's name. Older histories
 * have neither. `soon`: the run is small.
 */
export type Target = {
  object: number | null;
  clusterId: string;
  label: string;
  files?: true;
  id?: string;
  cluster?: string;
  soon?: true;
};

type From = RunSnapshot["objects"][number];
/** `end`: undefined when there is no such cluster any more. */
type To = { id: string; name: string; end: End | undefined };

type Planned = { object: number; from: From; problem: string | null };

/**
 * What a run sends where: the pairs that can be sent, and the first reasons why others cannot. Of a drain, objects
 * without a plan take no part.
 */
export function runTargets(db: DbOrTx, recordId: string): { targets: Target[]; problems: string[] } {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return { targets: [], problems: [] };
  const { projectId } = snapshot;
  const planned = plannedObjects(db, recordId, snapshot);
  const problems = new Set<string>();
  const sendable: { to: To; objects: Planned[] }[] = [];
  const byKind = new Map<string, ReturnType<typeof divide>>();
  for (const to of currentClusters(db, snapshot)) {
    const kind = `${to.end?.type} ${to.end?.protocol}`;
    const { suited, unsuited } = byKind.get(kind) ?? divide(planned, to, projectId);
    byKind.set(kind, { suited, unsuited });
    if (suited.length > 0) sendable.push({ to, objects: suited });
    for (const each of unsuited.slice(0, MOST_PROBLEMS)) problems.add(problemOf(projectId, each, to) ?? "");
  }
  const pairs = sendable.reduce((sum, { objects }) => sum + objects.length, 0);
  const write = targetWriter(snapshot);
  const soon = isSmallRun(
    db,
    recordId,
    snapshot.objects.some(({ category }) => category === "REMOTE"),
  )
    ? ({ soon: true } as const)
    : {};
  const target = (object: number | null, to: To): Target => ({ ...write(object, to), ...soon });
  const targets =
    pairs <= MOST_CHILDREN
      ? sendable.flatMap(({ to, objects }) =>
          objects.map(({ object, from }): Target => ({ ...target(object, to), ...filesOf(from, to) })),
        )
      : sendable.map(({ to, objects }): Target => ({
          ...target(null, to),
          ...(objects.every(({ from }) => filesOf(from, to).files) ? { files: true } : {}),
        }));
  return { targets, problems: [...problems].slice(0, MOST_PROBLEMS) };
}

/** The targets of the clusters that come after `clusterId` in the run's order; null: all. */
export function targetsAfter(db: DbOrTx, recordId: string, clusterId: string | null): Target[] {
  const { targets } = runTargets(db, recordId);
  if (clusterId === null) return targets;
  const clusters = snapshotOf(db, recordId)?.clusters ?? [];
  const later = new Set(clusters.slice(clusters.findIndex(({ id }) => id === clusterId) + 1).map(({ id }) => id));
  return targets.filter((target) => later.has(target.clusterId));
}

/**
 * Objects, from number `first` on, that are not planned to the end and can be sent to a cluster at least; `linked`:
 * they are listed, not planned here.
 */
export function unplannedObjects(db: DbOrTx, recordId: string, first = 0): { object: number; linked: boolean }[] {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return [];
  const clusters = currentClusters(db, snapshot);
  const incomplete = db.all<{ object: number }>(
    sql`SELECT object FROM plan_object WHERE record_id = ${recordId} AND complete = 0 AND object >= ${first} ORDER BY object`,
  );
  return incomplete.flatMap(({ object }) => {
    const from = snapshot.objects[object];
    if (!from) return [];
    const fits = clusters.some((to) => problemOf(snapshot.projectId, { from, problem: null }, to) === null);
    return fits ? { object, linked: from.category === "REMOTE" } : [];
  });
}

const filesOf = ({ repoType }: From, to: To): Pick<Target, "files"> =>
  weightOf(repoType, to.end?.type) === "light" ? { files: true } : {};

/** How the children of a run are called, and what they say of themselves. */
export function targetWriter({
  projectId,
  objects,
  clusters,
}: RunSnapshot): (object: number | null, to: { id: string; name: string }) => Target {
  const objectNames = distinctNames(objects.map(({ localRepoName }) => localRepoName));
  const clusterNames = new Map(
    distinctNames(clusters.map(({ name }) => name)).map((name, at) => [clusters[at]?.id, name]),
  );
  return (object, to) => {
    const from = object === null ? projectId : (objects[object]?.localRepoName ?? "");
    const [cluster, name] = [
      clusterNames.get(to.id) ?? to.id,
      object === null ? null : (objectNames[object] ?? String(object)),
    ];
    return {
      object,
      clusterId: to.id,
      label: cut(`${from} → ${to.name}`, 80),
      id: name === null ? cluster : `${cluster}/${name}`,
      cluster: to.name,
    };
  };
}

/** Which objects can be sent to a cluster is the same for all clusters of a type and protocol. */
function divide(planned: readonly Planned[], to: To, projectId: string): { suited: Planned[]; unsuited: Planned[] } {
  const divided = { suited: [] as Planned[], unsuited: [] as Planned[] };
  for (const each of planned) divided[problemOf(projectId, each, to) === null ? "suited" : "unsuited"].push(each);
  return divided;
}

function plannedObjects(db: DbOrTx, recordId: string, snapshot: RunSnapshot): Planned[] {
  const rows = db.all<{ object: number; problem: string | null }>(
    sql`SELECT object, problem FROM plan_object WHERE record_id = ${recordId} ORDER BY object`,
  );
  return rows.flatMap((row) => {
    const from = snapshot.objects[row.object];
    return from ? [{ ...row, from }] : [];
  });
}

/** The run's clusters as they are now. */
function currentClusters(db: DbOrTx, snapshot: RunSnapshot): To[] {
  const rows = db
    .select({ id: cluster.id, ...END })
    .from(cluster)
    .all();
  const ends = new Map(rows.map(({ id, ...row }) => [id, endOf(row)]));
  return snapshot.clusters.map(({ id, name }) => ({ id, name, end: ends.get(id) }));
}

const END = { type: cluster.type, protocol: cluster.protocol, url: cluster.url };

type EndRow = Pick<typeof cluster.$inferSelect, keyof typeof END>;
const endOf = ({ type, protocol, url }: EndRow): End => ({ type, protocol: namedProtocol(protocol, url) });

/** A cluster as content is sent to it; undefined when there is no such cluster any more. */
export function readEnd(db: DbOrTx, clusterId: string): (End & { name: string }) | undefined {
  const row = db
    .select({ name: cluster.name, ...END })
    .from(cluster)
    .where(eq(cluster.id, clusterId))
    .get();
  return row && { name: row.name, ...endOf(row) };
}

/** Why an object cannot be sent to a cluster at all, null when it can. */
export function pairProblem(
  db: DbOrTx,
  snapshot: RunSnapshot,
  recordId: string,
  object: number,
  clusterId: string,
): string | null {
  const from = snapshot.objects[object];
  if (!from) return null;
  const end = readEnd(db, clusterId);
  const planned = db
    .select({ problem: planObject.problem })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
    .get();
  return problemOf(
    snapshot.projectId,
    { from, problem: planned?.problem ?? null },
    { id: clusterId, name: end?.name ?? clusterId, end },
  );
}

/** `problem`: why the object could not be planned. */
function problemOf(projectId: string, { from, problem }: Pick<Planned, "from" | "problem">, to: To): string | null {
  if (!to.end) return `cluster ${to.id} does not exist any more`;
  if (problem) return problem;
  if (!from.category) return `repository ${projectId}/${from.localRepoName} does not exist`;
  const source = { category: from.category, repoType: from.repoType, protocol: from.protocol ?? null };
  const reason = transferProblem(source, to.end);
  return reason && `${from.localRepoName} → ${to.name}: ${reason}`;
}
