import { eq, sql } from "drizzle-orm";
import { openRecord } from "../../../db/runs/open.ts";
import { write, type Db } from "../../../db/open.ts";
import { eventCursor, project, repository } from "../../../db/schema/content.ts";
import { planObject } from "../../../db/schema/plans.ts";
import { detail, record, tally } from "../../../db/schema/records.ts";
import { cluster, task } from "../../../db/schema/tasks.ts";
import { newId } from "../../../domain/ids.ts";
import type {
  ClusterType,
  ExecutionStatus,
  RepositoryCategory,
  RepositoryType,
} from "../../../domain/vocabulary.ts";
import { runWorkflowId } from "../../../workflows/contract.ts";
import { SETTING } from "./setting.ts";

const audit = {
  createdBy: "admin",
  createdDate: 1_600_000_000_000,
  lastModifiedBy: "admin",
  lastModifiedDate: 1_600_000_000_000,
};

export function addRepository(
  db: Db,
  projectId: string,
  name: string,
  type: RepositoryType,
  category: RepositoryCategory = "LOCAL",
): void {
  db.insert(project)
    .values({ name: projectId, displayName: projectId, ...audit })
    .onConflictDoNothing()
    .run();
  const url = category === "REMOTE" ? "https://registry.example" : null;
  db.insert(repository)
    .values({ projectId, name, type, category, url, public: false, ...audit })
    .run();
}

export function addCluster(
  db: Db,
  name: string,
  type: ClusterType = "STANDALONE",
  id = newId(),
): string {
  db.insert(cluster)
    .values({
      id,
      name,
      type,
      url: `https://${name}.example`,
      detectType: "PING",
      status: "HEALTHY",
      ...audit,
    })
    .run();
  return id;
}

/**
 * Adds a REAL_TIME task that has processed all events so far: the event log keeps only projects that a task follows.
 */
export function addFollower(db: Db, projectId: string): void {
  const key = newId();
  const kinds = {
    kind: "task",
    replicaObjectType: "REPOSITORY",
    replicaType: "REAL_TIME",
  } as const;
  db.insert(task)
    .values({
      key,
      id: key,
      name: key,
      ...kinds,
      projectId,
      setting: SETTING,
      enabled: true,
      record: true,
      recordReserveDays: 30,
      ...audit,
    })
    .run();
  db.insert(eventCursor).values({ taskKey: key, clusterId: newId() }).run();
}

/** Opens a record as a run does; a task has at most one RUNNING record. */
export function addRecord(db: Db, taskKey: string, now: number): string {
  const opened = openRecord(db, {
    taskKey,
    localCluster: "center",
    now,
    workflowId: runWorkflowId,
  });
  if (opened.kind !== "opened")
    throw new Error(`the record was not opened: ${opened.kind}`);
  return opened.recordId;
}

export function endRecord(
  db: Db,
  id: string,
  status: ExecutionStatus,
  endTime: number,
  errorReason: string | null = null,
): void {
  const ended = db
    .update(record)
    .set({ status, endTime, errorReason })
    .where(eq(record.id, id))
    .returning()
    .get();
  if (ended)
    db.update(task)
      .set({ lastExecutionStatus: status })
      .where(eq(task.key, ended.taskKey))
      .run();
}

export type DetailValues = Partial<typeof detail.$inferInsert> & {
  recordId: string;
  clusterId: string;
  artifactName: string;
};

const begun = {
  object: 0,
  status: "SUCCESS" as const,
  dispatch: 1,
  epoch: 1,
  sizePlanned: true,
  size: 10,
  startTime: 1_600_000_000_000,
};

/** Adds details as workers report them. */
export function addDetails(db: Db, rows: readonly DetailValues[]): void {
  write(db, (tx) => {
    for (const [i, row] of rows.entries())
      tx.insert(detail)
        .values({ ...begun, seq: i + 1, ...row })
        .run();
  });
}

/** Adds a detail for each of the files /f/1 to /f/{count}; every fourth one is FAILED. */
export function addManyDetails(
  db: Db,
  recordId: string,
  clusterId: string,
  count: number,
): void {
  db.run(sql`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO detail (record_id, cluster_id, object, seq, artifact_name, status, dispatch, epoch,
      size, size_planned, start_time)
    SELECT ${recordId}, ${clusterId}, 0, i, '/f/' || i, iif(i % 4 = 0, 'FAILED', 'SUCCESS'), 1, 1,
      10, 1, ${begun.startTime} FROM n`);
}

export function setPlanned(
  db: Db,
  recordId: string,
  planned: number,
  bytes: number,
): void {
  db.update(planObject)
    .set({ planned, bytes, complete: true })
    .where(eq(planObject.recordId, recordId))
    .run();
}

export const talliesOf = (db: Db, recordId: string) =>
  db.select().from(tally).where(eq(tally.recordId, recordId)).all();
