import { and, eq } from "drizzle-orm";
import { transferProblem } from "../../domain/capabilities.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { cluster, planObject, record } from "../schema/replication.ts";

/** Above this many object × cluster pairs, a cluster gets one child that walks all objects (design.md §5.2). */
const MOST_CHILDREN = 300;

export type Target = { object: number | null; clusterId: string; label: string };

/** What a run sends where: the pairs that can be sent, and the reasons why the others cannot. Of a drain, objects without a plan take no part. */
export function runTargets(db: DbOrTx, recordId: string): { targets: Target[]; problems: string[] } {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return { targets: [], problems: [] };
  const planned = db.select({ object: planObject.object }).from(planObject).where(eq(planObject.recordId, recordId)).orderBy(planObject.object).all();
  const objects = planned.flatMap(({ object }) => (snapshot.objects[object] ? [{ object, from: snapshot.objects[object] }] : []));
  const pairs = snapshot.clusters.flatMap((to) =>
    objects.map(({ object, from }) => ({ object, from, to, problem: pairProblem(db, snapshot, recordId, object, to.id) })),
  );
  const problems = [...new Set(pairs.flatMap((pair) => pair.problem ?? []))];
  const sendable = pairs.filter((pair) => pair.problem === null);
  if (sendable.length <= MOST_CHILDREN) {
    return { problems, targets: sendable.map(({ object, from, to }) => ({ object, clusterId: to.id, label: `${from.localRepoName} → ${to.name}`.slice(0, 80) })) };
  }
  const clusters = snapshot.clusters.filter((to) => sendable.some((pair) => pair.to.id === to.id));
  return { problems, targets: clusters.map((to) => ({ object: null, clusterId: to.id, label: `${snapshot.projectId} → ${to.name}`.slice(0, 80) })) };
}

export function snapshotOf(db: DbOrTx, recordId: string): RunSnapshot | null {
  return db.select({ snapshot: record.snapshot }).from(record).where(eq(record.id, recordId)).get()?.snapshot ?? null;
}

/** Why an object cannot be sent to a cluster at all, null when it can. */
export function pairProblem(db: DbOrTx, snapshot: RunSnapshot, recordId: string, object: number, clusterId: string): string | null {
  const from = snapshot.objects[object];
  if (!from) return null;
  const to = db.select().from(cluster).where(eq(cluster.id, clusterId)).get();
  if (!to) return `cluster ${clusterId} does not exist any more`;
  const planned = db
    .select({ problem: planObject.problem })
    .from(planObject)
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, object)))
    .get();
  if (planned?.problem) return planned.problem;
  if (!from.category) return `repository ${snapshot.projectId}/${from.localRepoName} does not exist`;
  const reason = transferProblem({ category: from.category, repoType: from.repoType }, to.type);
  return reason && `${from.localRepoName} → ${to.name}: ${reason}`;
}
