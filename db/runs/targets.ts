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

/**
 * Above this many object × cluster pairs, each cluster gets a single child workflow that walks all
 * objects.
 */
const MOST_CHILDREN = 300;
/** Maximum number of reasons reported for a run with pairs that cannot be sent. */
const MOST_PROBLEMS = 10;

/**
 * A part of a run that one child workflow sends. `object` null: all objects. `files`: its artifacts
 * are light for the cluster, so a batch is sent quickly. `id`: unique name from cluster and object;
 * `cluster`: the cluster's name; histories of older releases have neither. `soon`: the run is
 * small.
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
/** A cluster to send to. `end`: how to reach it; undefined when the cluster no longer exists. */
type To = { id: string; name: string; end: End | undefined };

type Planned = { object: number; from: From; problem: string | null };

/**
 * Returns the targets of a run: the pairs of object and cluster that can be sent, or only the
 * clusters if there are more than MOST_CHILDREN pairs; and the first reasons why other pairs cannot
 * be sent. In a drain, objects without a plan are left out.
 */
export function runTargets(
  db: DbOrTx,
  recordId: string,
): { targets: Target[]; problems: string[] } {
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
    for (const each of unsuited.slice(0, MOST_PROBLEMS))
      problems.add(problemOf(projectId, each, to) ?? "");
  }
  const pairs = sendable.reduce((sum, { objects }) => sum + objects.length, 0);
  const write = targetWriter(snapshot);
  const linked = snapshot.objects.some(({ category }) => category === "REMOTE");
  const soon: Pick<Target, "soon"> = isSmallRun(db, recordId, linked)
    ? { soon: true }
    : {};
  const target = (objectIndex: number | null, to: To): Target => ({
    ...write(objectIndex, to),
    ...soon,
  });
  const targets =
    pairs <= MOST_CHILDREN
      ? sendable.flatMap(({ to, objects }) =>
          objects.map(({ object: objectIndex, from }): Target => ({
            ...target(objectIndex, to),
            ...filesOf(from, to),
          })),
        )
      : sendable.map(({ to, objects }): Target => ({
          ...target(null, to),
          ...(objects.every(({ from }) => filesOf(from, to).files)
            ? { files: true }
            : {}),
        }));
  return { targets, problems: [...problems].slice(0, MOST_PROBLEMS) };
}

/** Returns the targets of the clusters after `clusterId` in the run's order; null: all. */
export function targetsAfter(
  db: DbOrTx,
  recordId: string,
  clusterId: string | null,
): Target[] {
  const { targets } = runTargets(db, recordId);
  if (clusterId === null) return targets;
  const clusters = snapshotOf(db, recordId)?.clusters ?? [];
  const later = new Set(
    clusters
      .slice(clusters.findIndex(({ id }) => id === clusterId) + 1)
      .map(({ id }) => id),
  );
  return targets.filter((target) => later.has(target.clusterId));
}

/**
 * Returns the objects, from index `first` on, that are not fully planned and can be sent to at
 * least one cluster. `linked`: a worker lists the object; other objects are planned in SQL.
 */
export function unplannedObjects(
  db: DbOrTx,
  recordId: string,
  first = 0,
): { object: number; linked: boolean }[] {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return [];
  const clusters = currentClusters(db, snapshot);
  const incomplete = db.all<{ object: number }>(sql`
    SELECT object FROM plan_object
    WHERE record_id = ${recordId} AND complete = 0 AND object >= ${first}
    ORDER BY object`);
  return incomplete.flatMap(({ object: objectIndex }) => {
    const from = snapshot.objects[objectIndex];
    if (!from) return [];
    const fits = clusters.some(
      (to) => problemOf(snapshot.projectId, { from, problem: null }, to) === null,
    );
    return fits ? { object: objectIndex, linked: from.category === "REMOTE" } : [];
  });
}

const filesOf = ({ repoType }: From, to: To): Pick<Target, "files"> =>
  weightOf(repoType, to.end?.type) === "light" ? { files: true } : {};

/** Returns a function that builds the targets of a run with the names of their child workflows. */
export function targetWriter({
  projectId,
  objects,
  clusters,
}: RunSnapshot): (
  objectIndex: number | null,
  to: { id: string; name: string },
) => Target {
  const objectNames = distinctNames(objects.map(({ localRepoName }) => localRepoName));
  const clusterNames = new Map(
    distinctNames(clusters.map(({ name }) => name)).map((name, at) => [
      clusters[at]?.id,
      name,
    ]),
  );
  return (objectIndex, to) => {
    const from =
      objectIndex === null ? projectId : (objects[objectIndex]?.localRepoName ?? "");
    const [cluster, name] = [
      clusterNames.get(to.id) ?? to.id,
      objectIndex === null ? null : (objectNames[objectIndex] ?? String(objectIndex)),
    ];
    return {
      object: objectIndex,
      clusterId: to.id,
      label: cut(`${from} → ${to.name}`, 80),
      id: name === null ? cluster : `${cluster}/${name}`,
      cluster: to.name,
    };
  };
}

/**
 * Divides the objects into those that can be sent to a cluster and the others; the result is the
 * same for all clusters of the same type and protocol.
 */
function divide(
  planned: readonly Planned[],
  to: To,
  projectId: string,
): { suited: Planned[]; unsuited: Planned[] } {
  const divided = { suited: [] as Planned[], unsuited: [] as Planned[] };
  for (const each of planned)
    divided[problemOf(projectId, each, to) === null ? "suited" : "unsuited"].push(each);
  return divided;
}

function plannedObjects(db: DbOrTx, recordId: string, snapshot: RunSnapshot): Planned[] {
  const rows = db.all<{ object: number; problem: string | null }>(sql`
    SELECT object, problem FROM plan_object WHERE record_id = ${recordId} ORDER BY object`);
  return rows.flatMap((row) => {
    const from = snapshot.objects[row.object];
    return from ? [{ ...row, from }] : [];
  });
}

/**
 * Returns the clusters of a run with their current types and protocols (`end`); a cluster that no
 * longer exists has no `end`.
 */
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
const endOf = ({ type, protocol, url }: EndRow): End => ({
  type,
  protocol: namedProtocol(protocol, url),
});

/** Returns a cluster as an end to send to; undefined when it no longer exists. */
export function readEnd(
  db: DbOrTx,
  clusterId: string,
): (End & { name: string }) | undefined {
  const row = db
    .select({ name: cluster.name, ...END })
    .from(cluster)
    .where(eq(cluster.id, clusterId))
    .get();
  return row && { name: row.name, ...endOf(row) };
}

/**
 * Returns why an object can never be sent to a cluster; null when it can, or when the run has no
 * such object.
 */
export function pairProblem(
  db: DbOrTx,
  snapshot: RunSnapshot,
  recordId: string,
  objectIndex: number,
  clusterId: string,
): string | null {
  const from = snapshot.objects[objectIndex];
  if (!from) return null;
  const end = readEnd(db, clusterId);
  const planned = db
    .select({ problem: planObject.problem })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)))
    .get();
  return problemOf(
    snapshot.projectId,
    { from, problem: planned?.problem ?? null },
    { id: clusterId, name: end?.name ?? clusterId, end },
  );
}

/**
 * Returns why an object cannot be sent to a cluster, null when it can; `problem`: why the object
 * could not be planned.
 */
function problemOf(
  projectId: string,
  { from, problem }: Pick<Planned, "from" | "problem">,
  to: To,
): string | null {
  if (!to.end) return `cluster ${to.id} does not exist any more`;
  if (problem) return problem;
  if (!from.category)
    return `repository ${projectId}/${from.localRepoName} does not exist`;
  const source = {
    category: from.category,
    repoType: from.repoType,
    protocol: from.protocol ?? null,
  };
  const reason = transferProblem(source, to.end);
  return reason && `${from.localRepoName} → ${to.name}: ${reason}`;
}
