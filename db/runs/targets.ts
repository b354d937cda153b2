import { and, eq } from "drizzle-orm";
import { isImageType, transferProblem } from "../../domain/capabilities.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { ClusterType } from "../../domain/vocabulary.ts";
import type { DbOrTx } from "../open.ts";
import { cluster, planObject, record } from "../schema/replication.ts";

/** Above this many object × cluster pairs, a cluster gets one child that walks all objects (design.md §5.2). */
const MOST_CHILDREN = 300;

/** `object` null: all of them. `files`: the object is of files or of packages made of them, no images, so that a batch is soon sent. */
export type Target = { object: number | null; clusterId: string; label: string; files?: true };

/** What a run sends where: the pairs that can be sent, and the reasons why the others cannot. Of a drain, objects without a plan take no part. */
export function runTargets(db: DbOrTx, recordId: string): { targets: Target[]; problems: string[] } {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return { targets: [], problems: [] };
  const types = new Map(db.select({ id: cluster.id, type: cluster.type }).from(cluster).all().map(({ id, type }) => [id, type]));
  const planned = db
    .select({ object: planObject.object, problem: planObject.problem })
    .from(planObject)
    .where(eq(planObject.recordId, recordId))
    .orderBy(planObject.object)
    .all();
  const problems = new Set<string>();
  const targets: Target[] = [];
  for (const to of snapshot.clusters) {
    for (const { object, problem } of planned) {
      const from = snapshot.objects[object];
      const reason = from && problemOf(snapshot.projectId, { from, problem }, { id: to.id, name: to.name, type: types.get(to.id) });
      if (reason) problems.add(reason);
      else if (from) targets.push({ object, clusterId: to.id, label: `${from.localRepoName} → ${to.name}`.slice(0, 80), ...(isImageType(from.repoType) ? {} : { files: true }) });
    }
  }
  if (targets.length <= MOST_CHILDREN) return { problems: [...problems], targets };
  const sendable = new Set(targets.map(({ clusterId }) => clusterId));
  const clusters = snapshot.clusters.filter(({ id }) => sendable.has(id));
  return { problems: [...problems], targets: clusters.map((to) => ({ object: null, clusterId: to.id, label: `${snapshot.projectId} → ${to.name}`.slice(0, 80) })) };
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
