import { type Alert, ALERT_RULES } from "../../domain/alerts.ts";
import { wantedFree } from "../../domain/disk.ts";
import { LANES } from "../../domain/lanes.ts";
import { RUN_CAUSES, UPLOAD_REFUSALS } from "../../domain/vocabulary.ts";
import { REFUSALS } from "../../domain/worker-messages.ts";
import { createFamily, type Family, type Labels, type Merge, sum } from "./exposition.ts";
import { GAUGE_ALERTS, READINGS } from "./readings.ts";
import type { Survey } from "./survey.ts";

/**
 * Number of tasks that have metrics of their own, the oldest first; those of all other tasks are
 * combined under `_other`.
 */
const MOST_TASKS = 500;
const OTHER = "_other";

type Named = { task: (key: string) => string; cluster: (id: string) => string };
type Add = (
  name: string,
  type: Family["type"],
  help: string,
  merge?: Merge,
) => ReturnType<typeof createFamily>;

/** Makes all metrics of the product from one survey. */
export function toFamilies(survey: Survey, localCluster: string): Family[] {
  const families: Family[] = [];
  const add: Add = (...args) => {
    const made = createFamily(...args);
    families.push(made.family);
    return made;
  };
  const named = namesOf(survey);
  addReadings(survey, named, add);
  addRuns(survey, named, add);
  addArtifacts(survey, named, localCluster, add);
  addPending(survey, named, add);
  addMachine(survey, add);
  return families;
}

function namesOf({ tasks, clusters }: Survey): Named {
  const names = new Map(
    [...tasks.values()].map(({ key, name }, at) => [key, at < MOST_TASKS ? name : OTHER]),
  );
  return {
    task: (key) => names.get(key) ?? OTHER,
    cluster: (id) => clusters.get(id)?.name ?? id,
  };
}

const most: Merge = (a, b) => Math.max(a, b);

const HELP: Record<Alert, string> = {
  TaskOverdue:
    "1 when a firing of the task is more than 10 minutes past and did not start a run; for _other the number of tasks",
  RunStalled:
    "Time since a running run last had an outcome, moved a byte or planned something",
  RunStuck: "Runs that cannot go on on their own",
  RealTimeLag: "Age of the oldest upload that the cluster does not have yet",
  ClusterDown:
    "1 when the cluster answered and accepted the credentials at the last test",
  ClusterSlow: "1 when the cluster is known to be slow",
  CredentialsRefused: "1 when the cluster refused the credentials at the last test",
  WorkersMissing: "1 when at least one of them does its work",
  WorkerRefused: "Transfer workers that were refused in the last 5 minutes",
  BatchKillsWorkers: "",
  CertificateEnds: "Time until the API's own certificate ends; none without TLS",
  CertificateUnusable:
    "1 when the files of the API's certificate changed and cannot be used; none without TLS",
  AdminPasswordWeak: "1 when the password of the administrator is easy to guess",
  DiskLow: "Free space of the disk with DATA_DIR",
  ContentDamaged: "Contents of files that are gone or wrong, at most 10,000",
  ConflictsLeftAlone:
    "Conflicts that the newest run left alone (SKIP); for REAL_TIME the runs of one day",
};

function addReadings(survey: Survey, named: Named, add: Add): void {
  for (const alert of GAUGE_ALERTS) {
    const longest = alert === "RunStalled" || alert === "RealTimeLag";
    const family = add(
      ALERT_RULES[alert].metric,
      "gauge",
      HELP[alert],
      longest ? most : sum,
    );
    if (alert === "RunStuck" || alert === "ContentDamaged") family.add({}, 0);
    if (alert === "WorkerRefused")
      for (const reason of REFUSALS) family.add({ reason }, 0);
    for (const { labels, value } of READINGS[alert](survey))
      family.add(taskNamed(labels, named), value);
  }
  add(
    "replication_disk_wanted_bytes",
    "gauge",
    "Below this much free space the disk is low",
  ).add({}, wantedFree(survey.sample.disk));
  add(
    "replication_disk_reserve_bytes",
    "gauge",
    "Below this much free space uploads are refused (DISK_RESERVE)",
  ).add({}, survey.sample.disk.reserve);
  const { deaths } = survey.signals;
  const died = add(
    "replication_batch_deaths_total",
    "counter",
    "Batches that were lost with their worker; again: whether the same batch was lost before",
  );
  for (const [again, count] of [
    ["false", deaths.first],
    ["true", deaths.again],
  ] as const)
    died.add({ again }, count);
}

const taskNamed = (labels: Labels, named: Named): Labels =>
  labels["task"] === undefined ? labels : { ...labels, task: named.task(labels["task"]) };

const BOUNDS = [
  ["1", "le1"],
  ["10", "le10"],
  ["60", "le60"],
  ["600", "le600"],
  ["3600", "le3600"],
  ["21600", "le21600"],
  ["86400", "le86400"],
  ["+Inf", "runs"],
] as const;

function addRuns({ runTotals, running, tasks }: Survey, named: Named, add: Add): void {
  const runs = add("replication_runs_total", "counter", "Runs that have ended");
  const success = add(
    "replication_task_last_success_timestamp_seconds",
    "gauge",
    "When a run of the task last succeeded",
    most,
  );
  const firings = add(
    "replication_firings_total",
    "counter",
    "Firings of schedules; skipped: the run before still went on, missed: too late to run",
  );
  const now = add("replication_runs_running", "gauge", "Runs that are running");
  const seconds = add(
    "replication_run_seconds",
    "histogram",
    "Duration of runs that have ended",
  );
  for (const cause of RUN_CAUSES) now.add({ trigger: cause }, 0);
  for (const total of runTotals) {
    const { taskKey, cause, result } = total;
    const task = named.task(taskKey);
    if (cause === "SCHEDULED")
      firings.add(
        { task, result: result === "MISSED" ? "missed" : "started" },
        total.runs,
      );
    if (result === "MISSED") continue;
    runs.add({ task, trigger: cause, result }, total.runs);
    if (result === "SUCCESS") success.add({ task }, total.lastEnd / 1000);
  }
  for (const cause of RUN_CAUSES) {
    const ended = runTotals.filter(
      (total) => total.cause === cause && total.result !== "MISSED",
    );
    const all = (column: (typeof BOUNDS)[number][1] | "seconds") =>
      ended.reduce((count, total) => count + total[column], 0);
    for (const [le, column] of BOUNDS)
      seconds.add({ trigger: cause, le }, all(column), "_bucket");
    seconds.add({ trigger: cause }, all("seconds"), "_sum");
    seconds.add({ trigger: cause }, all("runs"), "_count");
  }
  for (const { taskKey, clusterId, workflowId, id } of running) {
    const cause =
      clusterId !== ""
        ? "REAL_TIME"
        : workflowId.endsWith(`/${id}`)
          ? "MANUAL"
          : "SCHEDULED";
    now.add({ trigger: cause }, 1);
    if (cause === "SCHEDULED")
      firings.add({ task: named.task(taskKey), result: "started" }, 1);
  }
  for (const { key, skippedTimes } of tasks.values())
    if (skippedTimes > 0)
      firings.add({ task: named.task(key), result: "skipped" }, skippedTimes);
}

const READ =
  "Bytes that were read; copy: from sources, to send them; a hosted source counts as this instance's own cluster; " +
  "check: at a target, to compare or verify";

function addArtifacts(
  { artifactTotals, tallies }: Survey,
  named: Named,
  localCluster: string,
  add: Add,
): void {
  const artifacts = add(
    "replication_artifacts_total",
    "counter",
    "Artifacts that were sent, skipped because the target has them or SKIP left them alone, or failed",
  );
  const conflicts = add(
    "replication_conflicts_total",
    "counter",
    "Artifacts that the target had with other content",
  );
  const sent = add("replication_sent_bytes_total", "counter", "Bytes sent to targets");
  const read = add("replication_read_bytes_total", "counter", READ);
  const rows = [...artifactTotals, ...tallies];
  for (const row of rows) {
    const [task, cluster] = [named.task(row.taskKey), named.cluster(row.clusterId)];
    artifacts.add({ task, cluster, result: "sent" }, row.success - row.skip);
    artifacts.add({ task, cluster, result: "skipped" }, row.skip);
    artifacts.add({ task, cluster, result: "failed" }, row.failed);
    if (row.conflict > 0) conflicts.add({ task, cluster }, row.conflict);
    sent.add({ task, cluster }, row.bytesSent);
    if (row.bytesRead > 0) read.add({ cluster, purpose: "check" }, row.bytesRead);
  }
  // Every byte sent was also read from the source, because bytes are streamed.
  read.add(
    { cluster: localCluster, purpose: "copy" },
    rows.reduce((bytes, row) => bytes + row.bytesSent, 0),
  );
}

/**
 * Adds the artifacts without an outcome: planned but not begun, begun, waiting to be tried again, and held for a later
 * drain.
 */
function addPending(
  { running, tallies, clusters, sample }: Survey,
  named: Named,
  add: Add,
): void {
  const pending = add(
    "replication_pending_artifacts",
    "gauge",
    "Artifacts that have no outcome yet",
  );
  for (const { name } of clusters.values())
    for (const state of ["planned", "begun", "again", "held"])
      pending.add({ cluster: name, state }, 0);
  const begun = new Map(tallies.map((row) => [`${row.recordId} ${row.clusterId}`, row]));
  for (const { id } of running) {
    const run = sample.runs.get(id);
    for (const clusterId of run?.clusters ?? []) {
      const cluster = named.cluster(clusterId);
      const {
        success = 0,
        failed = 0,
        running: open = 0,
      } = begun.get(`${id} ${clusterId}`) ?? {};
      const again = Math.min(open, run?.again.get(clusterId)?.count ?? 0);
      pending.add(
        { cluster, state: "planned" },
        Math.max(0, (run?.planned ?? 0) - success - failed - open),
      );
      pending.add({ cluster, state: "begun" }, open - again);
      pending.add({ cluster, state: "again" }, again);
    }
  }
  for (const { clusterId, held } of sample.behind)
    pending.add({ cluster: named.cluster(clusterId), state: "held" }, held);
}

function addMachine({ sample, workers, refusedUploads }: Survey, add: Add): void {
  const refused = add(
    "replication_refused_uploads_total",
    "counter",
    "Uploads that were refused: no room on the disk, beyond a quota, or too many open ones",
  );
  for (const reason of UPLOAD_REFUSALS) refused.add({ reason }, refusedUploads[reason]);
  const slots = add(
    "replication_worker_slots",
    "gauge",
    "Slots of the transfer workers that reported lately",
  );
  for (const { slots: known } of workers) {
    for (const kind of LANES) {
      const { total = 0, used = 0 } = known[kind] ?? {};
      slots.add({ kind, state: "used" }, used);
      slots.add({ kind, state: "free" }, total - used);
    }
  }
  const databases = add(
    "replication_database_bytes",
    "gauge",
    "Size of the database files",
  );
  for (const [database, bytes] of Object.entries(sample.databases))
    databases.add({ database }, bytes);
}
