import { sql } from "drizzle-orm";
import { MOST_COUNTED, type Wait } from "../../domain/waiting.ts";
import type { DbOrTx } from "../open.ts";
import { snapshotOf } from "./snapshots.ts";

/** What one run waits for in one place, with the run; `key` stays the same for as long as that lasts. */
type OpenWait = { key: string; recordId: string; read: () => Wait | null };

type Listing = {
  object: number;
  pages: number;
  failure: string | null;
  since: number | null;
  tries: number;
  retryAt: number | null;
};

const LISTING = sql`object, pages, failure, first_failure AS since, tries, retry_at AS retryAt`;

/**
 * Returns what the state of a running execution says that it waits for, failures first: linked repositories that cannot
 * be listed, artifacts that are tried again, and repositories that are being listed.
 */
export function waitsOf(db: DbOrTx, recordId: string, now: number): Wait[] {
  const snapshot = snapshotOf(db, recordId);
  if (!snapshot) return [];
  const unlisted = db.all<Listing>(sql`
    SELECT ${LISTING}
    FROM plan_object
    WHERE record_id = ${recordId} AND complete = 0
    ORDER BY object LIMIT 100`);
  const nameOf = (object: number) =>
    `${snapshot.projectId}/${snapshot.objects[object]?.localRepoName ?? ""}`;
  const failing = unlisted.flatMap((row) => failedListing(row, nameOf(row.object), now));
  const clusters = snapshot.clusters.flatMap(
    (cluster) => waitingArtifacts(db, recordId, cluster, now) ?? [],
  );
  const listed = unlisted
    .filter(
      ({ object, since }) =>
        since === null && snapshot.objects[object]?.category === "REMOTE",
    )
    .map(({ object, pages }): Wait => ({
      kind: "answers",
      repository: nameOf(object),
      pages,
    }));
  return [...failing, ...clusters, ...listed];
}

function failedListing(
  { failure, since, tries, retryAt }: Listing,
  repository: string,
  now: number,
): Wait[] {
  if (since === null) return [];
  const reason = failure ?? `${repository} cannot be listed`;
  return [
    { kind: "listing", repository, reason, since, tries, retryAt: future(retryAt, now) },
  ];
}

const future = (time: number | null, now: number): number | null =>
  time !== null && time > now ? time : null;

/** Describes the artifacts of a run that have failed at a cluster and will be tried again; null without any. */
function waitingArtifacts(
  db: DbOrTx,
  recordId: string,
  { id, name }: { id: string; name: string },
  now: number,
): Wait | null {
  const which = sql`
    record_id = ${recordId}
    AND cluster_id = ${id}
    AND status = 'RUNNING'
    AND first_failure IS NOT NULL`;
  const last = db.get<{ reason: string | null } | undefined>(sql`
    SELECT error_reason AS reason FROM detail WHERE ${which} ORDER BY not_before DESC LIMIT 1`);
  if (!last) return null;
  const sums = db.get<{ count: number; since: number; retryAt: number | null }>(sql`
    SELECT count(*) AS count, min(since) AS since, min(retryAt) AS retryAt
    FROM (
      SELECT first_failure AS since, iif(again, not_before, NULL) AS retryAt
      FROM detail WHERE ${which} LIMIT ${MOST_COUNTED + 1})`);
  return {
    kind: "artifacts",
    cluster: name,
    reason: last.reason ?? "",
    ...sums,
    retryAt: future(sums.retryAt, now),
  };
}

/** Whether batches of the execution are on their way. */
export function isSending(db: DbOrTx, recordId: string): boolean {
  return (
    db.get(
      sql`SELECT 1 FROM dispatch WHERE record_id = ${recordId} AND done = 0 LIMIT 1`,
    ) !== undefined
  );
}

/**
 * Returns in which places running executions wait because something fails: an object whose repository cannot be listed,
 * or a cluster where artifacts are tried again.
 */
export function openWaits(db: DbOrTx, now: number): OpenWait[] {
  const listings = db.all<Listing & { recordId: string }>(sql`
    SELECT record_id AS recordId, ${LISTING}
    FROM plan_object
    WHERE complete = 0 AND first_failure IS NOT NULL
      AND record_id IN (SELECT id FROM record WHERE status = 'RUNNING')`);
  const clusters = db.all<{ recordId: string; clusterId: string }>(sql`
    SELECT t.record_id AS recordId, t.cluster_id AS clusterId
    FROM record r JOIN tally t ON t.record_id = r.id
    WHERE r.status = 'RUNNING' AND t.running > 0
      AND EXISTS (
        SELECT 1 FROM detail d
        WHERE d.record_id = t.record_id
          AND d.cluster_id = t.cluster_id
          AND d.status = 'RUNNING'
          AND d.first_failure IS NOT NULL)`);
  return [
    ...listings.map(({ recordId, ...row }) => ({
      key: `${recordId}/object ${row.object}`,
      recordId,
      read: () => failedListing(row, `object ${row.object + 1}`, now)[0] ?? null,
    })),
    ...clusters.map(({ recordId, clusterId }) => ({
      key: `${recordId}/cluster ${clusterId}`,
      recordId,
      read: () => waitingArtifacts(db, recordId, clusterOf(db, recordId, clusterId), now),
    })),
  ];
}

function clusterOf(db: DbOrTx, recordId: string, id: string) {
  const known = snapshotOf(db, recordId)?.clusters.find((each) => each.id === id);
  return known ?? { id, name: id };
}
