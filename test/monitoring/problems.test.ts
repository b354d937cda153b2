import { text } from "../../domain/text.ts";
import { eq } from "drizzle-orm";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkClusters } from "../../api/clusters/health.ts";
import {
  type CertificateInUse,
  createSignals,
  type Signals,
  type WorkerSeen,
} from "../../api/metrics/signals.ts";
import type { Watch } from "../../api/metrics/contract.ts";
import { createWatch } from "../../api/metrics/watch.ts";
import { eventCursor } from "../../db/schema/content.ts";
import { record } from "../../db/schema/records.ts";
import { task } from "../../db/schema/tasks.ts";
import type { Alert } from "../../domain/alerts.ts";
import { createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { addCluster } from "../rigs/db/rows.ts";
import { SETTING } from "../rigs/db/setting.ts";
import { addRun, addTask, readSeries, valueOf } from "../rigs/runs/metrics-fixture.ts";

const START = Date.parse("2030-01-01T00:00:00Z");
const MINUTE = 60_000;

type Told = {
  alert: Alert;
  severity: string;
  subject: string;
  since: string;
  message: string;
  hint: string;
};

let time = START;
let api: TestApi;
let watch: Watch;
let cluster: string;
let signals: Signals;
let processes = {
  temporal: true,
  searchAttributes: true,
  orchestrator: true,
  workers: 1,
};
let slow: string[] = [];
let weakness: string | null = null;
let certificate: CertificateInUse | null = null;
let unbegun: string[] = [];
let workers: WorkerSeen[] = [];
beforeEach(() => {
  [time, slow, unbegun, workers] = [START, [], [], []];
  processes = { temporal: true, searchAttributes: true, orchestrator: true, workers: 1 };
  const clock = () => time;
  signals = createSignals(clock, clock);
  const directory = mkdtempSync(join(tmpdir(), "problems-"));
  const later: Watch = {
    metrics: () => watch.metrics(),
    problems: () => watch.problems(),
    checked: (...said) => watch.checked(...said),
    start: () => watch.start(),
  };
  api = createTestApi(
    { now: () => time, zone: "UTC", processes: () => processes, watch: later },
    directory,
  );
  watch = createWatch({
    ...api.deps,
    dataDir: directory,
    signals,
    sources: {
      slow: () => slow,
      unbegun: () => unbegun,
      workers: () => workers,
      certificate: () => certificate,
      passwordWeakness: () => weakness,
    },
  });
  cluster = addCluster(api.db, "shanghai");
});
afterEach(() => api.close());

/** Returns the problems that are reported after `later` ms, by alert. */
async function told(later = MINUTE): Promise<Map<Alert, Told>> {
  time += later;
  const { status, code, data } = await api.call(
    "GET",
    "/replication/api/system/problems",
  );
  expect([status, code]).toEqual([200, 0]);
  return new Map((data as Told[]).map((problem) => [problem.alert, problem]));
}

const numbers = async () => readSeries((await api.call("GET", "/metrics")).text);

test("an instance without problems reports none, and requests without a login are refused", async () => {
  addTask(api.db, "nightly", [cluster], START);
  expect((await told()).size).toBe(0);
  expect(
    (await api.call("GET", "/replication/api/system/problems", { login: null })).status,
  ).toBe(401);
});

test("each missing process is reported, the most severe first", async () => {
  api.db.$client.exec(
    "UPDATE cluster SET status = 'UNHEALTHY', error_reason = 'connection refused'",
  );
  processes = {
    temporal: false,
    searchAttributes: false,
    orchestrator: false,
    workers: 0,
  };
  time += MINUTE;
  const list = (await api.call("GET", "/replication/api/system/problems")).data as Told[];
  expect(list.map(({ alert, subject }) => `${alert} ${subject}`)).toEqual([
    "WorkersMissing temporal",
    "WorkersMissing orchestrator",
    "WorkersMissing transfer worker",
    "ClusterDown shanghai",
  ]);
  expect(list.at(-1)).toMatchObject({
    severity: "warning",
    since: "2030-01-01T00:01:00.000",
    message:
      "cluster shanghai (https://shanghai.example) cannot be used: connection refused",
  });
  expect(list.every(({ hint }) => hint.length > 20)).toBe(true);
  expect((await told(5 * MINUTE)).get("ClusterDown")?.since).toBe(
    "2030-01-01T00:01:00.000",
  );
});

test("a task is reported as overdue when a scheduled time is long past and led to no run", async () => {
  const key = addTask(api.db, "nightly", [cluster], START);
  const executionPlan = {
    executeImmediately: false,
    executeTime: null,
    cronExpression: "0 30 0 * * ?",
    timeZone: "UTC",
  };
  api.db
    .update(task)
    .set({ setting: { ...SETTING, executionStrategy: "CRON_EXPRESSION", executionPlan } })
    .where(eq(task.key, key))
    .run();
  expect((await told(39 * MINUTE)).has("TaskOverdue")).toBe(false);
  expect((await told(2 * MINUTE)).get("TaskOverdue")).toMatchObject({
    subject: "nightly",
    since: "2030-01-01T00:30:00.000",
    message: expect.stringContaining("11 min ago"),
  });
  expect(valueOf(await numbers(), "replication_task_overdue", { task: "nightly" })).toBe(
    1,
  );
  api.db.update(task).set({ lastExecutionTime: time }).where(eq(task.key, key)).run();
  expect((await told()).has("TaskOverdue")).toBe(false);
  api.db.update(task).set({ enabled: false }).where(eq(task.key, key)).run();
  expect((await told(48 * 60 * MINUTE)).has("TaskOverdue")).toBe(false);
});

test("a run is reported as stalled when no artifact ended and no byte moved for 15 minutes", async () => {
  const key = addTask(api.db, "nightly", [cluster], START);
  const detail = {
    recordId: "",
    clusterId: "",
    artifactName: "/a",
    status: "RUNNING" as const,
    startTime: START,
    bytesSent: 5,
    again: true,
    notBefore: START,
    errorReason: "no answer within 60 s",
  };
  const id = addRun(api.db, key, {
    clusterId: cluster,
    start: START - 60 * MINUTE,
    details: [detail],
  });
  expect((await told(10 * MINUTE)).has("RunStalled")).toBe(false);
  const problem = (await told(6 * MINUTE)).get("RunStalled");
  expect(problem).toMatchObject({
    subject: "nightly",
    since: "2030-01-01T00:00:00.000",
    message: expect.stringContaining(
      "for 16 min; 1 artifacts wait to be tried again, one because: no answer within 60 s",
    ),
  });
  expect(valueOf(await numbers(), "replication_run_stalled_seconds")).toBe(16 * 60);
  api.db.$client.exec(`UPDATE detail SET bytes_sent = 6 WHERE record_id = '${id}'`);
  expect((await told()).has("RunStalled")).toBe(false);
});

test("a run with a problem is reported as stuck with that problem", async () => {
  const id = addRun(api.db, addTask(api.db, "nightly", [cluster], START), {
    clusterId: cluster,
    start: START,
  });
  api.db
    .update(record)
    .set({ problem: "its workflow fails" })
    .where(eq(record.id, id))
    .run();
  expect((await told()).get("RunStuck")).toMatchObject({
    severity: "critical",
    message: `the run of task nightly (record ${id}) does not go on: its workflow fails`,
  });
});

test("scheduled runs that cannot begin are reported, and count as stuck runs", async () => {
  unbegun = ["nightly", "weekly"].map((name) => addTask(api.db, name, [cluster], START));
  const problems = (await api.call("GET", "/replication/api/system/problems"))
    .data as Told[];
  expect(problems.map(({ alert, message }) => [alert, message])).toEqual(
    ["nightly", "weekly"].map((name) => [
      "RunStuck",
      expect.stringMatching(`a firing of task ${name} cannot begin`),
    ]),
  );
  expect(valueOf(await numbers(), "replication_stuck_runs")).toBe(2);
  unbegun = [];
  expect((await told()).size).toBe(0);
});

test("uploads that a cluster lacks for minutes are reported, unless their task is disabled", async () => {
  const key = addTask(api.db, "follows", [cluster], START, { replicaType: "REAL_TIME" });
  api.db
    .insert(eventCursor)
    .values({ taskKey: key, clusterId: cluster, position: 0 })
    .run();
  api.db.$client.exec(
    `INSERT INTO event (project_id, repo_name, kind, subject, digest, created_date)
     VALUES ('p', 'files', 'node', '/a', '', ${START})`,
  );
  expect((await told(4 * MINUTE)).has("RealTimeLag")).toBe(false);
  expect((await told(2 * MINUTE)).get("RealTimeLag")).toMatchObject({
    subject: "follows → shanghai",
    message: expect.stringContaining("6 min ago"),
  });
  expect(
    valueOf(await numbers(), "replication_real_time_lag_seconds", {
      task: "follows",
      cluster: "shanghai",
    }),
  ).toBe(360);
  api.db.update(task).set({ enabled: false }).where(eq(task.key, key)).run();
  expect((await told()).has("RealTimeLag")).toBe(false);
});

test("conflicts that the newest run left alone are reported until a run finds none", async () => {
  const key = addTask(api.db, "nightly", [cluster], START);
  const conflict = {
    recordId: "",
    clusterId: "",
    artifactName: "/a",
    skip: true,
    conflict: true,
  };
  addRun(api.db, key, {
    clusterId: cluster,
    start: START,
    end: START + 1_000,
    details: [conflict, { ...conflict, artifactName: "/b" }],
  });
  expect((await told()).get("ConflictsLeftAlone")).toMatchObject({
    subject: "nightly → shanghai",
    since: "2030-01-01T00:00:01.000",
    message: expect.stringMatching(/^2 artifacts of task nightly/),
  });
  addRun(api.db, key, { clusterId: cluster, start: START + 2_000, end: START + 3_000 });
  expect((await told()).has("ConflictsLeftAlone")).toBe(false);
  addRun(api.db, key, {
    cause: "REAL_TIME",
    clusterId: cluster,
    start: time,
    end: time,
    details: [conflict],
  });
  addRun(api.db, key, { cause: "REAL_TIME", clusterId: cluster, start: time, end: time });
  expect((await told()).get("ConflictsLeftAlone")?.message).toContain("1 artifacts");
});

test("refused credentials are reported separately from a cluster that does not answer", async () => {
  const problem = {
    reason: text("the user name or the password is wrong", "用户名或密码错误"),
    refused: true,
  };
  await checkClusters({
    ...api.deps,
    paces: { note: () => {} },
    checkCluster: async () => problem,
    checked: signals.checked,
  });
  expect((await told()).get("CredentialsRefused")).toMatchObject({
    severity: "critical",
    message:
      "cluster shanghai (https://shanghai.example) refuses our credentials: the user name or the password is wrong",
  });
  await checkClusters({
    ...api.deps,
    paces: { note: () => {} },
    checkCluster: async () => ({
      reason: text("connection refused", "连接被拒绝"),
      refused: false,
    }),
    checked: signals.checked,
  });
  expect([...(await told()).keys()]).toEqual(["ClusterDown"]);
});

test("a weak password of the administrator is a problem with the reason and the remedy", async () => {
  weakness = "it has fewer than 12 characters";
  const found = (await watch.problems()).find(
    ({ alert }) => alert === "AdminPasswordWeak",
  );
  expect(found).toMatchObject({ severity: "warning", subject: "ADMIN_PASSWORD" });
  expect(found?.message).toMatch(/easy to guess: it has fewer than 12 characters/);
  expect(found?.hint).toMatch(/Set ADMIN_PASSWORD/);
  weakness = null;
});

const DAY = 24 * 60 * MINUTE;

test("a certificate that ends within 14 days, or cannot be replaced, is a problem and a number", async () => {
  certificate = { ends: time + 15 * DAY, unusable: null };
  expect((await told()).has("CertificateEnds")).toBe(false);
  const before = await numbers();
  expect(valueOf(before, "replication_certificate_unusable")).toBe(0);
  expect(valueOf(before, "replication_certificate_left_seconds")).toBeGreaterThan(
    (14 * DAY) / 1000,
  );
  const reason = "TLS_KEY_PATH /k has no private key in PEM";
  certificate = { ends: time + 14 * DAY, unusable: { reason, since: time } };
  const problems = await told();
  expect(problems.get("CertificateEnds")?.message).toMatch(/ends in 13 d 23 h$/);
  expect(problems.get("CertificateUnusable")?.message).toContain(reason);
  expect(valueOf(await numbers(), "replication_certificate_unusable")).toBe(1);
  certificate = { ends: time - DAY, unusable: null };
  expect((await told()).get("CertificateEnds")?.message).toMatch(/ended 1 d 1 min ago$/);
  certificate = null;
  expect((await told()).has("CertificateEnds")).toBe(false);
});

test("of the names that refused workers send, a few are told for each address", async () => {
  signals.refused("key", "the true one", "192.0.2.1");
  for (let at = 0; at < 1_000; at += 1)
    signals.refused("key", `stranger ${at}`, "192.0.2.2");
  const { data } = await api.call("GET", "/replication/api/system/problems");
  const refused = (data as Told[]).filter(({ alert }) => alert === "WorkerRefused");
  expect(refused).toHaveLength(6);
  expect(refused.map(({ subject }) => subject)).toContain("the true one");
});

test("slow clusters, refused workers and batches that kill workers are reported as problems", async () => {
  slow = [cluster];
  workers = [
    {
      id: "one",
      slots: { SHARED: { total: 32, used: 30 }, QUICK: { total: 8, used: 0 } },
    },
  ];
  signals.refused("clock", "10.0.0.9", "192.0.2.9");
  signals.refused("clock", "10.0.0.9", "192.0.2.9");
  signals.batchDied({ subject: "batch 3 of record x", deaths: 1 });
  signals.batchDied({ subject: "batch 4 of record x", deaths: 2 });
  const problems = await told();
  expect([...problems.values()].map(({ alert, subject }) => [alert, subject])).toEqual([
    ["BatchKillsWorkers", "batch 4 of record x"],
    ["WorkerRefused", "10.0.0.9"],
    ["ClusterSlow", "shanghai"],
  ]);
  expect(problems.get("WorkerRefused")?.message).toContain("its clock is off");
  const series = await numbers();
  const slots = (kind: string, state: string) =>
    valueOf(series, "replication_worker_slots", { kind, state });
  expect([
    slots("SHARED", "used"),
    slots("SHARED", "free"),
    slots("QUICK", "free"),
    slots("ALONE", "free"),
  ]).toEqual([30, 2, 8, 0]);
  expect([
    valueOf(series, "replication_workers_refused", { reason: "clock" }),
    valueOf(series, "replication_workers_refused", { reason: "key" }),
  ]).toEqual([1, 0]);
  expect([
    valueOf(series, "replication_batch_deaths_total", { again: "false" }),
    valueOf(series, "replication_batch_deaths_total", { again: "true" }),
  ]).toEqual([1, 1]);
  slow = [];
  expect((await told(31 * MINUTE)).size).toBe(0);
});
