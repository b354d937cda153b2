import { and, eq, sql } from "drizzle-orm";
import { protocolOf } from "../../domain/protocols.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type {
  BatchAnswer,
  BatchArtifact,
  Endpoint,
} from "../../domain/worker-messages.ts";
import { passGone } from "../pending/gone.ts";
import type { ClusterType, RepositoryType } from "../../domain/vocabulary.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { dispatch, planObject } from "../schema/plans.ts";
import { cluster } from "../schema/tasks.ts";
import { type BatchRow, endBatch, endsOf, findBatch } from "./end-batch.ts";
import { clusterOwner } from "../secrets/sealed.ts";
import { readSource } from "../content/source-end.ts";
import { haltReason, isOver } from "../records/halts.ts";
import { snapshotOf } from "../records/snapshots.ts";

/**
 * Returns whether an end (a cluster's id, or `project/repository` of a linked one) is known to be
 * slow.
 */
type IsSlow = (end: string) => boolean;

/**
 * Hands an open batch to the worker that asks last: raises the epoch, so that reports under an
 * older epoch are dropped, and returns only the artifacts without an outcome. Instead ends a batch
 * in the lane QUICK at once if one of its ends is slow. Returns `done` for an ended batch, and
 * `halted` with the reason when the batch must not be sent.
 */
export function takeBatch(
  db: Db,
  recordId: string,
  number: number,
  now: number,
  isSlow: IsSlow = () => false,
): BatchAnswer {
  return write(db, (tx) => {
    const place = and(eq(dispatch.recordId, recordId), eq(dispatch.number, number));
    const found = findBatch(tx, recordId, number);
    const snapshot = snapshotOf(tx, recordId);
    if (!found || !snapshot || isOver(tx, recordId))
      return { kind: "halted", reason: "the run is over" };
    if (found.done) return { kind: "done" };
    if (found.lane === "QUICK" && endsOf(found).some(isSlow)) {
      // If a worker took this batch before, that worker has died while working on it.
      endBatch(tx, found, { interrupted: true }, now);
      return { kind: "done" };
    }
    const batch = { ...found, epoch: found.epoch + 1 };
    tx.update(dispatch).set({ epoch: batch.epoch, takenTime: now }).where(place).run();
    if (batch.epoch > 1) doubtUnsent(tx, batch);
    const halted = haltReason(tx, recordId, batch.clusterId);
    return halted ? leave(tx, batch, halted) : readBatch(tx, batch, snapshot, now);
  });
}

/** An earlier worker of the batch may have died before it reported what it sent. */
function doubtUnsent(tx: DbOrTx, { recordId, number }: BatchRow): void {
  tx.run(sql`
    UPDATE detail SET unsent = 0
    WHERE record_id = ${recordId} AND dispatch = ${number} AND unsent = 1`);
}

/** Returns everything that the worker needs for a batch, or why the batch cannot be sent. */
function readBatch(
  tx: DbOrTx,
  batch: BatchRow,
  snapshot: RunSnapshot,
  now: number,
): BatchAnswer {
  const { projectId, setting, replicaType } = snapshot;
  const object = snapshot.objects[batch.object];
  const source = object && readSource(tx, projectId, object.localRepoName);
  const target = object ? readTarget(tx, batch.clusterId, object.repoType) : null;
  if (object && !source) {
    const problem = `repository ${projectId}/${object.localRepoName} was deleted while the run went on`;
    tx.update(planObject)
      .set({ problem })
      .where(
        and(eq(planObject.recordId, batch.recordId), eq(planObject.object, batch.object)),
      )
      .run();
  }
  if (!object || !source || !target)
    return leave(tx, batch, "the repository or the cluster was deleted");
  const from: From = {
    repositoryId: source.repositoryId,
    linked: object.category === "REMOTE",
  };
  const artifacts = readArtifacts(tx, batch, from, now);
  return {
    kind: "batch",
    epoch: batch.epoch,
    lane: batch.lane ?? "SHARED",
    clusterId: batch.clusterId,
    projectId,
    object,
    source,
    target,
    setting,
    endsAtFailure: setting.errorStrategy === "FAST_FAIL" && replicaType !== "REAL_TIME",
    artifacts:
      replicaType === "REAL_TIME"
        ? passGone(tx, batch, object.localRepoName, artifacts, now)
        : artifacts,
  };
}

function leave(tx: DbOrTx, { recordId, number }: BatchRow, reason: string): BatchAnswer {
  tx.update(dispatch)
    .set({ done: true })
    .where(and(eq(dispatch.recordId, recordId), eq(dispatch.number, number)))
    .run();
  return { kind: "halted", reason };
}

function readTarget(
  tx: DbOrTx,
  clusterId: string,
  repoType: RepositoryType,
): (Endpoint & { type: ClusterType }) | null {
  const row = tx.select().from(cluster).where(eq(cluster.id, clusterId)).get();
  if (!row) return null;
  const { type, url, username, secret, certificate, insecureSkipVerify } = row;
  const protocol = type === "REMOTE" ? protocolOf(repoType, row.protocol, url) : null;
  return {
    type,
    url,
    protocol,
    username,
    secret,
    sealedFor: clusterOwner(clusterId),
    certificate,
    insecureSkipVerify,
  };
}

type Row = Omit<BatchArtifact, "uploads" | "metadata" | "begun"> & {
  uploads: string | null;
  metadata: string | null;
  begun: number;
};

type From = { repositoryId: number; linked: boolean };

/**
 * Reads a batch's artifacts without an outcome, the least tried first, because those that were
 * tried often may never succeed.
 */
function readArtifacts(
  tx: DbOrTx,
  batch: typeof dispatch.$inferSelect,
  from: From,
  now: number,
): BatchArtifact[] {
  const { recordId, object: objectIndex, clusterId, number } = batch;
  const { repositoryId, linked } = from;
  const which =
    batch.fromSeq === null
      ? sql`d.dispatch = ${number} AND d.status = 'RUNNING' AND d.again = 0`
      : sql`
        p.seq BETWEEN ${batch.fromSeq} AND ${batch.toSeq}
        AND (d.id IS NULL OR (d.dispatch = ${number} AND d.status = 'RUNNING' AND d.again = 0))`;
  const join = batch.fromSeq === null ? sql`JOIN` : sql`LEFT JOIN`;
  // For a linked repository only the listing gives the digest.
  const digest = linked ? sql`p.digest` : sql`coalesce('sha256:' || n.sha256, v.digest)`;
  const rows = tx.all<Row>(sql`
    SELECT p.seq, p.name, p.version, p.problem, coalesce(d.unsent = 0, 0) AS begun, d.uploads,
      p.size AS plannedSize, ${digest} AS digest, n.size, n.sha256, n.md5, n.metadata,
      n.created_by AS createdBy, n.created_date AS createdDate,
      n.last_modified_by AS lastModifiedBy, n.last_modified_date AS lastModifiedDate
    FROM plan p
    ${join} detail d
      ON d.record_id = p.record_id
      AND d.cluster_id = ${clusterId}
      AND d.object = p.object
      AND d.seq = p.seq
    LEFT JOIN node n
      ON p.version = ''
      AND n.repository_id = ${repositoryId}
      AND n.full_path = p.name
      AND n.folder = 0
      AND (n.expire_date IS NULL OR n.expire_date > ${now})
    LEFT JOIN package k
      ON p.version <> ''
      AND k.repository_id = ${repositoryId}
      AND k.name = p.name
    LEFT JOIN version v ON v.package_id = k.id AND v.name = p.version
    WHERE p.record_id = ${recordId} AND p.object = ${objectIndex} AND ${which}
    ORDER BY coalesce(d.tries, 0), p.seq`);
  return rows.map((row) => ({
    ...row,
    begun: row.begun === 1,
    uploads: row.uploads ? JSON.parse(row.uploads) : [],
    metadata: row.metadata ? JSON.parse(row.metadata) : {},
  }));
}
