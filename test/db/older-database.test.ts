import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readSnapshot } from "../../db/runs/open.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { damage, scrub } from "../../db/schema/content.ts";
import { createTestApi } from "../rigs/api/api-fixture.ts";
import { migrationsUpTo } from "../rigs/db/older-migrations.ts";
import { talliesOf } from "../rigs/db/rows.ts";

const TASK = "1".repeat(32);
const RECORD = "2".repeat(24);
const CLUSTER = "3".repeat(24);
const OLD_SETTING = {
  rateLimit: 7,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: {
    executeImmediately: true,
    executeTime: null,
    cronExpression: null,
    timeZone: null,
  },
  storageConsistencyCheck: false,
  automaticCreateRemoteRepo: true,
};
const DEFAULTS = {
  compare: "AUTO",
  compareReadLimit: 1_073_741_824,
  verification: "DIGEST",
};

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "older-database-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Writes a database of the previous release: a run is going on that has sent one of its two files. */
function writeOldDatabase(): void {
  const client = new Sqlite(join(directory, "replication.db"));
  migrate(drizzle({ client }), { migrationsFolder: migrationsUpTo(directory, 11) });
  const insert = (table: string, row: Record<string, unknown>) => {
    const names = Object.keys(row);
    client
      .prepare(
        `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
      )
      .run(...Object.values(row));
  };
  const audit = {
    created_by: "admin",
    created_date: 1,
    last_modified_by: "admin",
    last_modified_date: 1,
  };
  insert("project", { name: "p", display_name: "p", ...audit });
  insert("repository", {
    project_id: "p",
    name: "hub",
    type: "DOCKER",
    category: "REMOTE",
    public: 0,
    url: "https://registry.example",
    ...audit,
  });
  insert("repository", {
    id: 7,
    project_id: "p",
    name: "files",
    type: "GENERIC",
    category: "LOCAL",
    public: 0,
    ...audit,
  });
  for (const [path, size] of Object.entries({ "/a": 0, "/a/1": 5, "/a/2": 7 }))
    insert("node", {
      repository_id: 7,
      full_path: path,
      parent: path === "/a" ? "/" : "/a",
      name: path.slice(-1),
      folder: path === "/a" ? 1 : 0,
      size,
      metadata: "{}",
      ...audit,
    });
  insert("cluster", {
    id: CLUSTER,
    name: "far",
    type: "REMOTE",
    url: "https://far.example",
    detect_type: "PING",
    status: "HEALTHY",
    ...audit,
  });
  const kinds = {
    kind: "task",
    project_id: "p",
    replica_object_type: "REPOSITORY",
    replica_type: "SCHEDULED",
  };
  insert("task", {
    key: TASK,
    id: TASK,
    name: "old",
    ...kinds,
    setting: JSON.stringify(OLD_SETTING),
    enabled: 1,
    record: 1,
    record_reserve_days: 30,
    ...audit,
  });
  insert("task_object", {
    task_key: TASK,
    position: 0,
    local_repo_name: "hub",
    repo_type: "DOCKER",
  });
  insert("task_cluster", { task_key: TASK, position: 0, cluster_id: CLUSTER });
  const snapshot = {
    taskName: "old",
    projectId: "p",
    replicaObjectType: "REPOSITORY",
    replicaType: "SCHEDULED",
    setting: OLD_SETTING,
    record: true,
    localCluster: "center",
    objects: [],
    clusters: [{ id: CLUSTER, name: "far", type: "REMOTE" }],
  };
  insert("record", {
    id: RECORD,
    task_key: TASK,
    workflow_id: "w",
    status: "RUNNING",
    start_time: 1,
    snapshot: JSON.stringify(snapshot),
    clusters: 1,
  });
  const detail = {
    record_id: RECORD,
    cluster_id: CLUSTER,
    object: 0,
    dispatch: 1,
    lease: 1,
    size: 10,
    size_planned: 1,
    bytes_sent: 10,
    start_time: 1,
  };
  insert("detail", {
    ...detail,
    seq: 1,
    artifact_name: "nginx",
    version: "1",
    status: "SUCCESS",
  });
  insert("detail", {
    ...detail,
    seq: 2,
    artifact_name: "nginx",
    version: "2",
    status: "RUNNING",
  });
  client.close();
}

test("a database of the previous release keeps its data, and its new columns have their defaults", async () => {
  writeOldDatabase();
  const api = createTestApi({}, directory);
  const data = async (path: string) => (await api.call("GET", path)).data;
  expect(await data(`/replication/api/task/info/${TASK}`)).toMatchObject({
    setting: { ...OLD_SETTING, ...DEFAULTS },
  });
  expect(snapshotOf(api.db, RECORD)?.setting).toEqual({ ...OLD_SETTING, ...DEFAULTS });
  expect(readSnapshot(api.db, TASK, "center")?.setting).toEqual({
    ...OLD_SETTING,
    ...DEFAULTS,
  });
  expect(await data(`/replication/api/task/record/${RECORD}`)).toMatchObject({
    record: { bytesRead: 0, replicatedBytes: 20, replicaOverview: { success: 1 } },
  });
  const unknown = { compared: null, verified: null, note: null };
  expect(await data(`/replication/api/task/record/detail/list/${RECORD}`)).toMatchObject([
    unknown,
    unknown,
  ]);
  const counted = { quota: null, used: 12 };
  expect(await data("/repository/api/repo/quota/p/files")).toEqual(counted);
  expect(await data("/repository/api/project/list")).toMatchObject([counted]);
  expect(await data("/replication/api/cluster/info?name=far")).toMatchObject({
    name: "far",
    protocol: null,
  });
  expect(await data("/repository/api/repo/info/p/hub")).toMatchObject({
    configuration: { protocol: null },
  });
  expect(api.db.select().from(damage).all()).toEqual([]);
  expect(api.db.select().from(scrub).all()).toEqual([]);

  api.db.$client
    .prepare("UPDATE detail SET status = 'SUCCESS', bytes_read = 4 WHERE seq = 2")
    .run();
  expect(talliesOf(api.db, RECORD)).toMatchObject([
    { success: 2, running: 0, bytesSent: 20, bytesRead: 4 },
  ]);
  api.db.$client.prepare("UPDATE record SET status = 'SUCCESS', end_time = 2").run();
  expect(
    api.db.$client
      .prepare("SELECT success, bytes_sent, bytes_read FROM artifact_total")
      .all(),
  ).toEqual([{ success: 2, bytes_sent: 20, bytes_read: 4 }]);
  api.close();
});
