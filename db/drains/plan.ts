import { and, eq, sql } from "drizzle-orm";
import { transferProblem } from "../../domain/capabilities.ts";
import type { Changed } from "../../domain/object-matcher.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { Db, DbOrTx } from "../open.ts";
import { findRepository } from "../content/repositories.ts";
import { planHostedPage } from "../plan/hosted.ts";
import { addPlanned, countingPlanned, lastSeq } from "../plan/rows.ts";
import { snapshotOf } from "../records/snapshots.ts";
import { pairProblem, readEnd } from "../runs/targets.ts";
import { planObject } from "../schema/plans.ts";
import type { News } from "./news.ts";

export type Drain = {
  recordId: string;
  taskKey: string;
  clusterId: string;
  snapshot: RunSnapshot;
};

/**
 * Adds news to a drain's plan: one row for each file and version, as it is now. Deleted ones are
 * left out, because deletions are not replicated. `gained`: the objects that have something to be
 * cut; `takesPart`: the drain has something to report, even if only a reason why something cannot
 * be sent.
 */
export function planNews(
  tx: DbOrTx,
  drain: Drain,
  news: News,
  now: number,
): { gained: number[]; takesPart: boolean } {
  const { recordId, snapshot } = drain;
  const to = readEnd(tx, drain.clusterId);
  const gained: number[] = [];
  let takesPart = false;
  for (const [objectIndex, changes] of news.changes) {
    const from = snapshot.objects[objectIndex];
    const repository = from && findRepository(tx, snapshot.projectId, from.localRepoName);
    if (!from?.category || !to || !repository) continue;
    const source = {
      category: from.category,
      repoType: from.repoType,
      protocol: from.protocol ?? null,
    };
    const sendable = transferProblem(source, to) === null;
    const joins =
      tx
        .insert(planObject)
        .values({ recordId, object: objectIndex, complete: true })
        .onConflictDoNothing()
        .run().changes > 0;
    if (
      sendable &&
      planChanges(
        tx,
        { ...drain, object: objectIndex, repositoryId: repository.id, now },
        from.localRepoName,
        [...changes.values()],
      ) === 0
    ) {
      // An object with nothing to send takes no part in the drain.
      if (joins)
        tx.delete(planObject)
          .where(
            and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)),
          )
          .run();
      continue;
    }
    if (sendable) gained.push(objectIndex);
    takesPart = true;
  }
  return { gained, takesPart };
}

type Where = Drain & { object: number; repositoryId: number; now: number };

/** Plans the changed files and versions that still exist, and returns how many have to be sent. */
function planChanges(
  tx: DbOrTx,
  where: Where,
  repoName: string,
  changes: readonly Changed[],
): number {
  const { recordId, object: objectIndex } = where;
  const list = JSON.stringify(changes);
  const again = replan(tx, where, repoName, list);
  const insert = sql`
    INSERT INTO plan (record_id, object, seq, name, version, size, digest)
    SELECT ${recordId}, ${objectIndex}, ${lastSeq(where)} + row_number() OVER (ORDER BY t.key),
      t.path, t.version, t.size, t.digest
    FROM (${there(where, list)}) t
    WHERE NOT EXISTS (
      SELECT 1 FROM plan p
      WHERE p.record_id = ${recordId}
        AND p.object = ${objectIndex}
        AND p.name = t.path
        AND p.version = t.version)`;
  return again + countingPlanned(tx, where, () => void tx.run(insert));
}

/**
 * SQL: those of a JSON list of files and versions that exist, with their present size and digest;
 * `seq` comes from the list.
 */
const there = (
  { repositoryId, now }: Pick<Where, "repositoryId" | "now">,
  list: string,
) => sql`
  SELECT j.key, j.value ->> 'seq' AS seq, n.full_path AS path, '' AS version, n.size,
    'sha256:' || n.sha256 AS digest
  FROM json_each(${list}) j
  CROSS JOIN node n
    ON n.repository_id = ${repositoryId}
    AND n.full_path = j.value ->> 'path'
    AND n.folder = 0
    AND (n.expire_date IS NULL OR n.expire_date > ${now})
  WHERE j.value ->> 'version' = ''
  UNION ALL
  SELECT j.key, j.value ->> 'seq' AS seq, k.name AS path, v.name AS version, v.size, v.digest
  FROM json_each(${list}) j
  CROSS JOIN package k ON k.repository_id = ${repositoryId} AND k.name = j.value ->> 'path'
  CROSS JOIN version v ON v.package_id = k.id AND v.name = j.value ->> 'version'`;

type Known = Changed & {
  seq: number;
  detail: number | null;
  status: string | null;
  again: number | null;
};

/**
 * Plans files and versions again that are in the drain's plan and have changed since. If one was
 * not dispatched yet, its present content is read at dispatch. If it has ended, it is tried again
 * in its row. If it may be under way, it is left to a later drain. Returns how many are to be cut
 * again.
 */
function replan(tx: DbOrTx, where: Where, repoName: string, list: string): number {
  const { recordId, taskKey, clusterId, object: objectIndex, now } = where;
  const known = tx.all<Known>(sql`
    SELECT p.seq, p.name AS path, p.version, d.id AS detail, d.status, d.again
    FROM json_each(${list}) j
    CROSS JOIN plan p
      ON p.record_id = ${recordId}
      AND p.object = ${objectIndex}
      AND p.name = j.value ->> 'path'
      AND p.version = j.value ->> 'version'
    LEFT JOIN detail d
      ON d.record_id = p.record_id
      AND d.cluster_id = ${clusterId}
      AND d.object = p.object
      AND d.seq = p.seq
    WHERE p.seq <= (
      SELECT coalesce(max(to_seq), 0) FROM dispatch
      WHERE record_id = ${recordId} AND object = ${objectIndex} AND cluster_id = ${clusterId})`);
  if (known.length === 0) return 0;
  const ended = known.filter(({ status }) => status !== null && status !== "RUNNING");
  tx.run(sql`
    UPDATE detail SET
      status = 'RUNNING', again = 1, not_before = ${now}, end_time = NULL,
      error_reason = NULL, first_failure = NULL, tries = 0,
      conflict = 0, skip = 0, conflict_strategy = NULL
    WHERE id IN (SELECT value FROM json_each(${JSON.stringify(ended.map(({ detail }) => detail))}))`);
  const seqs = JSON.stringify(ended.map(({ seq }) => seq));
  const again = sql`
    record_id = ${recordId}
    AND object = ${objectIndex}
    AND seq IN (SELECT value FROM json_each(${seqs}))`;
  const bytes = () =>
    tx.get<{ n: number }>(sql`SELECT total(size) AS n FROM plan WHERE ${again}`).n;
  const before = bytes();
  tx.run(sql`
    UPDATE plan SET size = t.size, digest = t.digest FROM (${there(where, JSON.stringify(ended))}) t
    WHERE record_id = ${recordId} AND object = ${objectIndex} AND plan.seq = t.seq`);
  addPlanned(tx, where, 0, bytes() - before);
  const beingSent = known.filter(
    ({ status, again }) => status === null || (status === "RUNNING" && again === 0),
  );
  tx.run(sql`
    INSERT INTO pending (task_key, cluster_id, repo_name, path, version, since, not_before)
    SELECT ${taskKey}, ${clusterId}, ${repoName}, value ->> 'path', value ->> 'version', ${now}, ${now}
    FROM json_each(${JSON.stringify(beingSent)})
    WHERE true
    ON CONFLICT DO UPDATE SET not_before = excluded.not_before, record_id = NULL`);
  return ended.length;
}

/**
 * Plans the next page of an object as it is now, instead of following its changes. Returns whether
 * that was the last page; true, too, when the object cannot be sent. A path that matches nothing is
 * not a failure, because it only means that nothing was uploaded there.
 */
export function planCatchUp(
  db: Db,
  recordId: string,
  objectIndex: number,
  now: number,
): boolean {
  const snapshot = snapshotOf(db, recordId);
  const from = snapshot?.objects[objectIndex];
  const to = snapshot?.clusters[0];
  if (!from || !to || pairProblem(db, snapshot, recordId, objectIndex, to.id) !== null)
    return true;
  return planHostedPage(
    db,
    recordId,
    objectIndex,
    { ...from, projectId: snapshot.projectId },
    now,
    { lacking: "passes" },
  );
}
