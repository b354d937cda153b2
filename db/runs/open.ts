import { asc, eq, inArray, sql } from "drizzle-orm";
import { newId } from "../../domain/ids.ts";
import { namedProtocol } from "../../domain/protocols.ts";
import type { RunSnapshot } from "../../domain/task.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import { type Db, type DbOrTx, write } from "../open.ts";
import { record } from "../schema/records.ts";
import { cluster, task, taskCluster } from "../schema/tasks.ts";

type OpenedRecord =
  | { kind: "opened"; recordId: string; workflowId: string }
  | { kind: "running" | "disabled" | "unknown" };

type Opening = {
  taskKey: string;
  localCluster: string;
  now: number;
  workflowId: (run: { taskName: string; taskKey: string; recordId: string }) => string;
};

/**
 * Opens the RUNNING record of a manual or immediate start; returns `running` if the task has one
 * already, because a partial unique index allows a single one.
 */
export function openRecord(db: Db, opening: Opening): OpenedRecord {
  const recordId = newId();
  return write(db, (tx) => insertRecord(tx, opening, recordId));
}

/**
 * Inserts a RUNNING record with its plan objects and updates the task, in the caller's transaction.
 * Inserts nothing when the task does not exist, is disabled or has a RUNNING record.
 */
export function insertRecord(
  tx: DbOrTx,
  opening: Opening,
  recordId: string,
): OpenedRecord {
  const { taskKey, now } = opening;
  const snapshot = readSnapshot(tx, taskKey, opening.localCluster);
  if (!snapshot) return { kind: "unknown" };
  const found = tx
    .select({ enabled: task.enabled })
    .from(task)
    .where(eq(task.key, taskKey))
    .get();
  if (!found?.enabled) return { kind: "disabled" };
  const workflowId = opening.workflowId({
    taskName: snapshot.taskName,
    taskKey,
    recordId,
  });
  if (!startRecord(tx, { id: recordId, taskKey, workflowId, startTime: now, snapshot }))
    return { kind: "running" };
  insertPlanObjects(tx, recordId, snapshot.objects.length);
  return { kind: "opened", recordId, workflowId };
}

/** Inserts the objects of a run, without a plan yet, in one statement however many there are. */
export function insertPlanObjects(tx: DbOrTx, recordId: string, objects: number): void {
  if (objects === 0) return;
  tx.run(sql`
    WITH RECURSIVE n (object) AS (
      SELECT 0 UNION ALL SELECT object + 1 FROM n WHERE object + 1 < ${objects}
    )
    INSERT INTO plan_object (record_id, object) SELECT ${recordId}, object FROM n`);
}

/**
 * Inserts a RUNNING record and updates its task; returns false while another record of the task
 * (REAL_TIME: of the task and cluster) is RUNNING.
 */
export function startRecord(
  tx: DbOrTx,
  values: Omit<typeof record.$inferInsert, "status" | "clusters">,
): boolean {
  const clusters = values.snapshot.clusters.length;
  const inserted = tx
    .insert(record)
    .values({ ...values, clusters, status: "RUNNING" })
    .onConflictDoNothing()
    .run();
  if (inserted.changes === 0) return false;
  tx.update(task)
    .set({
      lastExecutionStatus: "RUNNING",
      lastExecutionTime: values.startTime,
      executionTimes: sql`${task.executionTimes} + 1`,
    })
    .where(eq(task.key, values.taskKey))
    .run();
  return true;
}

/**
 * Builds the snapshot that a run keeps of its task as it is now; null when there is no such task.
 */
export function readSnapshot(
  tx: DbOrTx,
  taskKey: string,
  localCluster: string,
): RunSnapshot | null {
  const row = tx.select().from(task).where(eq(task.key, taskKey)).get();
  if (!row) return null;
  return {
    taskName: row.name,
    projectId: row.projectId,
    replicaObjectType: row.replicaObjectType,
    replicaType: row.replicaType,
    setting: row.setting,
    record: row.record,
    localCluster,
    clusters: readClusters(tx, taskKey),
    objects: readObjects(tx, row),
  };
}

/** How to reach a linked repository: `given`: the protocol that the user has set. */
type Link = { given: Protocol | null; url: string | null };
type ObjectRow = Omit<
  RunSnapshot["objects"][number],
  "packageConstraints" | "pathConstraints" | "protocol"
> &
  Link & { packages: string | null; paths: string | null };

/** Reads the task's objects in one statement, because there may be ten thousand. */
function readObjects(
  tx: DbOrTx,
  { key, projectId }: typeof task.$inferSelect,
): RunSnapshot["objects"] {
  const rows = tx.all<ObjectRow>(sql`
    SELECT o.local_repo_name AS localRepoName, o.repo_type AS repoType,
      o.remote_project_id AS remoteProjectId, o.remote_repo_name AS remoteRepoName,
      o.package_constraints AS packages, o.path_constraints AS paths,
      r.category, r.protocol AS given, r.url
    FROM task_object o
    LEFT JOIN repository r ON r.project_id = ${projectId} AND r.name = o.local_repo_name
    WHERE o.task_key = ${key}
    ORDER BY o.position`);
  return rows.map(({ packages, paths, category, given, url, ...object }) => {
    const protocol = url === null ? null : namedProtocol(given, url);
    return {
      ...object,
      packageConstraints: packages === null ? null : JSON.parse(packages),
      pathConstraints: paths === null ? null : JSON.parse(paths),
      category,
      ...(protocol === null ? {} : { protocol }),
    };
  });
}

function readClusters(tx: DbOrTx, taskKey: string): RunSnapshot["clusters"] {
  const ids = tx
    .select({ id: taskCluster.clusterId })
    .from(taskCluster)
    .where(eq(taskCluster.taskKey, taskKey))
    .orderBy(asc(taskCluster.position))
    .all()
    .map((row) => row.id);
  const rows = tx
    .select({ id: cluster.id, name: cluster.name, type: cluster.type })
    .from(cluster)
    .where(inArray(cluster.id, ids))
    .all();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}
