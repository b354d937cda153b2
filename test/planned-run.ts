import { putBlobs } from "../db/blobs.ts";
import type { Db } from "../db/open.ts";
import { putNodes } from "../db/put-nodes.ts";
import { findRepository } from "../db/repositories.ts";
import { insertTask } from "../db/tasks.ts";
import { newId } from "../domain/ids.ts";
import type { TaskObject, TaskSetting } from "../domain/task.ts";
import { addRecord } from "./api-rows.ts";

const SETTING: TaskSetting = {
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: { executeImmediately: true, executeTime: null, cronExpression: null, timeZone: null },
  storageConsistencyCheck: false,
  automaticCreateRemoteRepo: true,
};
const TASK = { kind: "task", projectId: "p", replicaObjectType: "REPOSITORY", replicaType: "SCHEDULED", setting: SETTING, description: null, enabled: true, record: true, recordReserveDays: 30, nextExecutionTime: null } as const;

/** The RUNNING record of a new task of project p; nothing is planned yet. */
export function openRun(db: Db, objects: TaskObject | TaskObject[], clusterIds: string[], now: number): string {
  const key = insertTask(db, { ...TASK, name: newId() }, [objects].flat(), clusterIds, { user: "tester", now }) ?? "";
  return addRecord(db, key, now);
}

const SHA256 = "0".repeat(64);

/** Files of p/files; what they hold is in no store. */
export function addFiles(db: Db, list: string[], now: number): void {
  putBlobs(db, [{ sha256: SHA256, md5: "0".repeat(32), size: 0, inline: true }], now);
  const files = list.map((fullPath) => ({ fullPath, sha256: SHA256, metadata: {} }));
  putNodes(db, findRepository(db, "p", "files") ?? { id: 0, projectId: "p", name: "files" }, files, { overwrite: true, user: "tester", now });
}
