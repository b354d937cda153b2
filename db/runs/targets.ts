import { and, eq, gte } from "drizzle-orm";
import { isImageType, transferProblem } from "../../domain/capabilities.ts";
import { cut, distinctNames } from "../../domain/run-names.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { ClusterType } from "../../domain/vocabulary.ts";
import type { DbOrTx } from "../open.ts";
import { cluster, planObject, record } from "../schema/replication.ts";

/** Above this many object × cluster pairs, a cluster gets one child that walks all objects (design.md §5.2). */
const MOST_CHILDREN = 300;

/**
 * `object` null: all of them. `files`: the object is of files or of packages made of them, no images, so that a batch is soon sent. `id`: the
 * names of cluster and object, which no other target of the run has; `cluster`: the cluster's name. Older histories have neither.
 */
export type Target = { object: number | null; clusterId: string; label: string; files?: true; id?: string; cluster?: string };

/** What a run sends where: the pairs that can be sent, and the reasons why the others cannot. Of a drain, objects without a plan take no part. */
export function runTargets(db: DbOrTx, recordId: string): { targets: Target[]; problems: string[] } {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return { targets: [], problems: [] };
  const types = clusterTypes(db);
  const planned = db
    .select({ object: planObject.object, problem: planObject.problem })
    .from(planObject)
    .where(eq(planObject.recordId, recordId))
    .orderBy(planObject.object)
    .all();
  const problems = new Set<string>();
  const sendable = new Set<string>();
  const pairs: { object: number; to: NamedCluster }[] = [];
  for (const to of snapshot.clusters) {
    const toType = types.get(to.id);
    for (const { object, problem } of planned) {
      const from = snapshot.objects[object];
      if (!from) continue;
      const reason = problemOf(snapshot.projectId, { from, problem }, { id: to.id, name: to.name, type: toType });
      if (reason) problems.add(reason);
      else sendable.add(to.id);
      if (!reason && pairs.length <= MOST_CHILDREN) pairs.push({ object, to });
    }
  }
  const target = targetWriter(snapshot);
  if (pairs.length <= MOST_CHILDREN) return { problems: [...problems], targets: pairs.map(({ object, to }) => ({ ...target(object, to), ...filesOf(snapshot, object) })) };
  return { problems: [...problems], targets: snapshot.clusters.filter(({ id }) => sendable.has(id)).map((to) => target(null, to)) };
}

/** The targets of the clusters that come after `clusterId` in the run's order; null: all. */
export function targetsAfter(db: DbOrTx, recordId: string, clusterId: string | null): Target[] {
  const { targets } = runTargets(db, recordId);
  if (clusterId === null) return targets;
  const clusters = snapshotOf(db, recordId)?.clusters ?? [];
  const later = new Set(clusters.slice(clusters.findIndex(({ id }) => id === clusterId) + 1).map(({ id }) => id));
  return targets.filter((target) => later.has(target.clusterId));
}

const clusterTypes = (db: DbOrTx) => new Map(db.select({ id: cluster.id, type: cluster.type }).from(cluster).all().map(({ id, type }) => [id, type]));

/** Objects, from number `first` on, that are not planned to the end and can be sent to a cluster at least; `linked`: they are listed, not planned here. */
export function unplannedObjects(db: DbOrTx, recordId: string, first = 0): { object: number; linked: boolean }[] {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return [];
  const types = clusterTypes(db);
  const incomplete = db
    .select({ object: planObject.object })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.complete, false), gte(planObject.object, first)))
    .orderBy(planObject.object)
    .all();
  return incomplete.flatMap(({ object }) => {
    const from = snapshot.objects[object];
    if (!from) return [];
    const fits = snapshot.clusters.some(({ id, name }) => problemOf(snapshot.projectId, { from, problem: null }, { id, name, type: types.get(id) }) === null);
    return fits ? { object, linked: from.category === "REMOTE" } : [];
  });
}

type NamedCluster = { id: string; name: string };

const filesOf = ({ objects }: RunSnapshot, object: number): Pick<Target, "files"> => {
  const type = objects[object]?.repoType;
  return type === undefined || isImageType(type) ? {} : { files: true };
};

/** How the children of a run are called, and what they say of themselves. */
export function targetWriter({ projectId, objects, clusters }: RunSnapshot): (object: number | null, to: NamedCluster) => Target {
  const objectNames = distinctNames(objects.map(({ localRepoName }) => localRepoName));
  const clusterNames = new Map(distinctNames(clusters.map(({ name }) => name)).map((name, at) => [clusters[at]?.id, name]));
  return (object, to) => {
    const from = object === null ? projectId : (objects[object]?.localRepoName ?? "");
    const [cluster, name] = [clusterNames.get(to.id) ?? to.id, object === null ? null : (objectNames[object] ?? String(object))];
    return { object, clusterId: to.id, label: cut(`${from} → ${to.name}`, 80), id: name === null ? cluster : `${cluster}/${name}`, cluster: to.name };
  };
}

export function snapshotOf(db: DbOrTx, recordId: string): RunSnapshot | null {
  return db.select({ snapshot: record.snapshot }).from(record).where(eq(record.id, recordId)).get()?.snapshot ?? null;
}

/** Why an object cannot be sent to a cluster at all, null when it can. */
export function pairProblem(db: DbOrTx, snapshot: RunSnapshot, recordId: string, object: number, clusterId: string): string | null {
  const from = snapshot.objects[object];
  if (!from) return null;
  const to = db.select({ name: cluster.name, type: cluster.type }).from(cluster).where(eq(cluster.id, clusterId)).get();
  const planned = db
    .select({ problem: planObject.problem })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
    .get();
  return problemOf(snapshot.projectId, { from, problem: planned?.problem ?? null }, { id: clusterId, name: to?.name ?? clusterId, type: to?.type });
}

/** `problem`: why the object could not be planned; `type`: undefined when there is no such cluster any more. */
function problemOf(
  projectId: string,
  { from, problem }: { from: RunSnapshot["objects"][number]; problem: string | null },
  to: { id: string; name: string; type: ClusterType | undefined },
): string | null {
  if (!to.type) return `cluster ${to.id} does not exist any more`;
  if (problem) return problem;
  if (!from.category) return `repository ${projectId}/${from.localRepoName} does not exist`;
  const reason = transferProblem({ category: from.category, repoType: from.repoType }, to.type);
  return reason && `${from.localRepoName} → ${to.name}: ${reason}`;
}
