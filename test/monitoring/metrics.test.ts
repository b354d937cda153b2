import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { missOnce, takeFiring } from "../../db/runs/firings.ts";
import { deleteRecords } from "../../db/records/records.ts";
import { eventCursor } from "../../db/schema/content.ts";
import { planObject } from "../../db/schema/plans.ts";
import { record } from "../../db/schema/records.ts";
import { task } from "../../db/schema/tasks.ts";
import { deleteTask } from "../../db/tasks/tasks.ts";
import { listClusters, setClusterHealth } from "../../db/tasks/clusters.ts";
import { basic, createTestApi, type TestApi } from "../rigs/api/api-fixture.ts";
import { addCluster } from "../rigs/db/rows.ts";
import { SETTING } from "../rigs/db/setting.ts";
import {
  addRun,
  addTask,
  planOf,
  readSeries,
  statementsOf,
  valueOf,
} from "../rigs/runs/metrics-fixture.ts";

const TOKEN = "a token of Prometheus".replaceAll(" ", "-");
const START = Date.parse("2030-01-01T00:00:00Z");

let time = START;
let api: TestApi;
let cluster: string;
beforeEach(() => {
  time = START;
  api = createTestApi({ now: () => time, metricsToken: TOKEN });
  cluster = addCluster(api.db, "shanghai");
});
afterEach(() => api.close());

/** Scrapes the metrics one minute later, so that no cached ones are returned. */
async function scrape() {
  time += 60_000;
  const answer = await api.call("GET", "/metrics");
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    200,
    "text/plain; version=0.0.4; charset=utf-8",
  ]);
  return readSeries(answer.text);
}

describe("access to the metrics", () => {
  test("the admin and clients with the token may read the metrics, and others get 401 in plain text", async () => {
    const ask = async (authorization: string | null) => {
      const answer = await api.call("GET", "/metrics", {
        login: null,
        headers: authorization === null ? {} : { authorization },
      });
      return [
        answer.status,
        answer.headers.get("content-type")?.split(";")[0],
        answer.text.startsWith("{"),
      ];
    };
    expect(await ask(`Bearer ${TOKEN}`)).toEqual([200, "text/plain", false]);
    expect(await ask(basic("admin:correct horse"))).toEqual([200, "text/plain", false]);
    for (const wrong of [
      null,
      "Bearer another",
      `Bearer ${TOKEN}x`,
      basic("admin:wrong"),
      basic(`admin:${TOKEN}`),
    ])
      expect(await ask(wrong)).toEqual([401, "text/plain", false]);
    const refused = await api.call("GET", "/metrics", { login: null });
    expect(refused.headers.get("www-authenticate")).toContain("Basic");
  });

  test("a flood of wrong logins gets 429 in plain text, with the time after which to try again", async () => {
    const guess = () => api.call("GET", "/metrics", { login: "admin:guess" });
    const wrong = await Promise.all(Array.from({ length: 102 }, guess));
    const dropped = wrong.find((answer) => answer.status === 429);
    if (!dropped) throw new Error("no guess was dropped");
    const { status, headers, text } = dropped;
    expect([status, headers.get("content-type")?.split(";")[0]]).toEqual([
      429,
      "text/plain",
    ]);
    expect(headers.get("retry-after")).toBe("5");
    expect(text).not.toMatch(/^\{/);
  });

  test("no bearer token gives access to the metrics while no token is configured", async () => {
    const closed = createTestApi();
    for (const token of ["null", "undefined", ""])
      expect(
        (
          await closed.call("GET", "/metrics", {
            login: null,
            headers: { authorization: `Bearer ${token}` },
          })
        ).status,
      ).toBe(401);
    closed.close();
  });
});

describe("the metrics", () => {
  test("metrics count runs and artifacts by task, cluster, trigger and result", async () => {
    const key = addTask(api.db, 'a "task"', [cluster], START);
    addRun(api.db, key, {
      clusterId: cluster,
      start: START,
      end: START + 5_000,
      details: [
        { recordId: "", clusterId: "", artifactName: "/a", bytesSent: 70 },
        {
          recordId: "",
          clusterId: "",
          artifactName: "/b",
          skip: true,
          conflict: true,
          conflictStrategy: "SKIP",
        },
      ],
    });
    addRun(api.db, key, {
      cause: "SCHEDULED",
      clusterId: cluster,
      start: START,
      end: START + 90_000,
      status: "FAILED",
      details: [{ recordId: "", clusterId: "", artifactName: "/c", status: "FAILED" }],
    });
    addRun(api.db, key, {
      cause: "REAL_TIME",
      clusterId: cluster,
      start: START,
      end: START + 500,
    });
    const going = addRun(api.db, key, {
      clusterId: cluster,
      start: START,
      details: [
        { recordId: "", clusterId: "", artifactName: "/d", bytesSent: 30 },
        {
          recordId: "",
          clusterId: "",
          artifactName: "/e",
          status: "RUNNING",
          bytesSent: 5,
        },
      ],
    });
    api.db.insert(planObject).values({ recordId: going, object: 0, planned: 7 }).run();
    const series = await scrape();
    const runs = (trigger: string, result: string) =>
      valueOf(series, "replication_runs_total", { task: 'a "task"', trigger, result });
    expect([
      runs("MANUAL", "SUCCESS"),
      runs("SCHEDULED", "FAILED"),
      runs("REAL_TIME", "SUCCESS"),
      runs("MANUAL", "FAILED"),
    ]).toEqual([1, 1, 1, undefined]);
    const artifacts = (result: string) =>
      valueOf(series, "replication_artifacts_total", {
        task: 'a "task"',
        cluster: "shanghai",
        result,
      });
    expect([artifacts("sent"), artifacts("skipped"), artifacts("failed")]).toEqual([
      2, 1, 1,
    ]);
    expect(valueOf(series, "replication_sent_bytes_total")).toBe(105);
    expect(valueOf(series, "replication_conflicts_total")).toBe(1);
    const pending = (state: string) =>
      valueOf(series, "replication_pending_artifacts", { cluster: "shanghai", state });
    expect([
      pending("planned"),
      pending("begun"),
      pending("again"),
      pending("held"),
    ]).toEqual([5, 1, 0, 0]);
    expect(valueOf(series, "replication_runs_running", { trigger: "MANUAL" })).toBe(1);
    expect(valueOf(series, "replication_task_last_success_timestamp_seconds")).toBe(
      (START + 5_000) / 1000,
    );
    const seconds = (le: string) =>
      valueOf(series, "replication_run_seconds_bucket", { trigger: "MANUAL", le });
    expect([
      seconds("1"),
      seconds("10"),
      seconds("+Inf"),
      valueOf(series, "replication_run_seconds_sum", { trigger: "MANUAL" }),
    ]).toEqual([0, 1, 1, 5]);
    expect(valueOf(series, "replication_run_stalled_seconds")).toBeGreaterThanOrEqual(60);
    expect(valueOf(series, "replication_cluster_up", { cluster: "shanghai" })).toBe(1);
  });

  test("metrics do not fall when records are deleted, and disappear with their task", async () => {
    const key = addTask(api.db, "nightly", [cluster], START);
    for (let at = 0; at < 3; at += 1)
      addRun(api.db, key, {
        clusterId: cluster,
        start: START,
        end: START + 1_000,
        details: [{ recordId: "", clusterId: "", artifactName: "/a", bytesSent: 10 }],
      });
    const numbers = async () => {
      const series = await scrape();
      return ["replication_runs_total", "replication_sent_bytes_total"]
        .map((name) => valueOf(series, name))
        .concat(valueOf(series, "replication_run_seconds_count", { trigger: "MANUAL" }));
    };
    expect(await numbers()).toEqual([3, 30, 3]);
    await deleteRecords(api.db, key);
    expect(await numbers()).toEqual([3, 30, 3]);
    addRun(api.db, key, { clusterId: cluster, start: START, end: START + 1_000 });
    expect(await numbers()).toEqual([4, 30, 4]);
    deleteTask(api.db, key);
    expect(await numbers()).toEqual([undefined, undefined, 0]);
  });

  test("metrics count each scheduled time once, by its result", async () => {
    const cron = (cronExpression: string) => ({
      executeImmediately: false,
      executeTime: null,
      cronExpression,
      timeZone: "UTC",
    });
    const key = addTask(api.db, "hourly", [cluster], START - 86_400_000);
    api.db
      .update(task)
      .set({
        setting: {
          ...SETTING,
          executionStrategy: "CRON_EXPRESSION",
          executionPlan: cron("0 0 12 * * ?"),
        },
        skippedTimes: 2,
      })
      .where(eq(task.key, key))
      .run();
    const rules = { localCluster: "center", zone: "UTC", window: 60_000, now: START };
    const late = {
      taskKey: key,
      workflowId: `repl/${key}-2029-12-31T12:00:00Z`,
      schedule: "0 0 12 * * ? in UTC",
    };
    expect([
      takeFiring(api.db, late, rules).kind,
      takeFiring(api.db, late, rules).kind,
    ]).toEqual(["missed", "missed"]);
    const inTime = { ...late, workflowId: `repl/${key}-2030-01-01T12:00:00Z` };
    expect(
      takeFiring(api.db, inTime, { ...rules, now: START + 12 * 3_600_000 }).kind,
    ).toBe("opened");
    const once = addTask(api.db, "once", [cluster], START - 86_400_000);
    const plan = {
      executeImmediately: false,
      executeTime: "2029-12-31T10:00:00Z",
      cronExpression: null,
      timeZone: null,
    };
    api.db
      .update(task)
      .set({
        setting: { ...SETTING, executionStrategy: "SPECIFIED_TIME", executionPlan: plan },
      })
      .where(eq(task.key, once))
      .run();
    for (let at = 0; at < 2; at += 1)
      missOnce(api.db, once, Date.parse("2029-12-31T10:00:00Z"), rules);
    const series = await scrape();
    const firings = (name: string, result: string) =>
      valueOf(series, "replication_firings_total", { task: name, result });
    expect([
      firings("hourly", "missed"),
      firings("hourly", "started"),
      firings("hourly", "skipped"),
      firings("once", "missed"),
    ]).toEqual([1, 1, 2, 1]);
    expect(valueOf(series, "replication_runs_total")).toBeUndefined();
  });

  test("metrics have series of their own for 500 tasks, and one common series for all others", async () => {
    for (let at = 0; at < 503; at += 1) {
      const key = addTask(api.db, `task ${at}`, [cluster], START + at);
      addRun(api.db, key, {
        clusterId: cluster,
        start: START,
        end: START + 1_000,
        details: [{ recordId: "", clusterId: "", artifactName: "/a", bytesSent: 10 }],
      });
    }
    const series = await scrape();
    const runs = series.filter(({ name }) => name === "replication_runs_total");
    expect(runs).toHaveLength(501);
    expect([
      valueOf(runs, "replication_runs_total", { task: "task 499" }),
      valueOf(runs, "replication_runs_total", { task: "_other" }),
    ]).toEqual([1, 3]);
    expect(
      valueOf(series, "replication_sent_bytes_total", {
        task: "_other",
        cluster: "shanghai",
      }),
    ).toBe(30);
  });

  test("reading the metrics scans no big table", async () => {
    const key = addTask(api.db, "nightly", [cluster], START);
    const follows = addTask(api.db, "follows", [cluster], START, {
      replicaType: "REAL_TIME",
    });
    api.db
      .insert(eventCursor)
      .values({ taskKey: follows, clusterId: cluster, position: 0 })
      .run();
    api.db.$client.exec(
      `INSERT INTO pending (task_key, cluster_id, repo_name, path, version, since, not_before)
       VALUES ('${follows}', '${cluster}', 'files', '/a', '', 1, 1)`,
    );
    addRun(api.db, key, {
      clusterId: cluster,
      start: START,
      details: [
        {
          recordId: "",
          clusterId: "",
          artifactName: "/a",
          status: "RUNNING",
          again: true,
          notBefore: 1,
        },
      ],
    });
    time += 60_000;
    const statements = await statementsOf(api.db, () => api.call("GET", "/metrics"));
    expect(statements.length).toBeGreaterThan(10);
    const scans = statements
      .flatMap((statement) => planOf(api.db, statement))
      .filter((step) =>
        /^SCAN (record|detail|tally|plan|plan_object|dispatch|node|blob|event|pending|e|o)\b/.test(
          step,
        ),
      );
    // The index of running records is small, so it may be scanned.
    expect(
      scans.filter(
        (step) => !step.includes("USING INDEX record_running") && step !== "SCAN o",
      ),
    ).toEqual([]);
  });

  test("the metric of a cluster is the result of its last connection test", async () => {
    for (const row of listClusters(api.db))
      setClusterHealth(api.db, row, "connection refused", time);
    expect(valueOf(await scrape(), "replication_cluster_up")).toBe(0);
  });

  test("metrics count a run whose record has a problem as stuck", async () => {
    const key = addTask(api.db, "nightly", [cluster], START);
    expect(valueOf(await scrape(), "replication_stuck_runs")).toBe(0);
    const id = addRun(api.db, key, { clusterId: cluster, start: START });
    api.db
      .update(record)
      .set({ problem: "its workflow fails: NonDeterministicError" })
      .where(eq(record.id, id))
      .run();
    expect(valueOf(await scrape(), "replication_stuck_runs")).toBe(1);
  });
});
