/**
 * What an operator is told of: each condition and its threshold stand here once, for the numbers, for the problems in
 * words, and for the alert rules.
 */
export const ALERTS = [
  "TaskOverdue",
  "RunStalled",
  "RunStuck",
  "RealTimeLag",
  "ClusterDown",
  "ClusterSlow",
  "CredentialsRefused",
  "WorkersMissing",
  "WorkerRefused",
  "BatchKillsWorkers",
  "DiskLow",
  "ConflictsLeftAlone",
] as const;
export type Alert = (typeof ALERTS)[number];

export const SEVERITIES = ["critical", "warning"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** A firing that nothing came of is overdue after this time (ms). */
export const OVERDUE_AFTER = 10 * 60_000;
/** How long (ms) the death of a batch's worker, and the refusal of a worker, are told of. */
export const DEATHS_TOLD_FOR = 30 * 60_000;
export const REFUSALS_TOLD_FOR = 5 * 60_000;
/** The disk is low when less than this is free: a tenth of it, of large disks 10 GiB. */
export const wantedFree = (size: number): number => Math.min(size / 10, 10 * 1024 ** 3);

export type Rule = {
  severity: Severity;
  /** The number that is looked at. */
  metric: string;
  /** Of a counter: how much it grew in DEATHS_TOLD_FOR. */
  grown?: true;
  labels?: Readonly<Record<string, string>>;
  holds: { is: ">" | "<" | "=="; than: number | string };
  /** What to do, in a sentence or two. */
  hint: string;
};

/** `than` as text is another metric. */
export const ALERT_RULES: Readonly<Record<Alert, Rule>> = {
  TaskOverdue: {
    severity: "warning",
    metric: "replication_task_overdue",
    holds: { is: ">", than: 0 },
    hint: "Look whether Temporal and the orchestrator are up (/health/ready), then whether the task's schedule is paused in Temporal's UI. Execute the task by hand to catch up.",
  },
  RunStalled: {
    severity: "warning",
    metric: "replication_run_stalled_seconds",
    holds: { is: ">", than: 900 },
    hint: "Look at the last reason in the run's details, and whether its target answers and transfer workers are up. Stop the task and execute it again once the cause is mended: what is done stays done.",
  },
  RunStuck: {
    severity: "critical",
    metric: "replication_stuck_runs",
    holds: { is: ">", than: 0 },
    hint: "The run cannot go on by itself. Stop its task: the record is closed with what was done, and the task can be executed again. Keep the record's problem for a report.",
  },
  RealTimeLag: {
    severity: "warning",
    metric: "replication_real_time_lag_seconds",
    holds: { is: ">", than: 300 },
    hint: "Look at the cluster's errorReason and at the newest records of the task for it. Nothing is lost: what waits is sent as soon as the cluster takes it.",
  },
  ClusterDown: {
    severity: "warning",
    metric: "replication_cluster_up",
    holds: { is: "==", than: 0 },
    hint: "Look at the other end, and at the network and the certificate between. Runs to it try again for RETRY_WINDOW; other clusters are not touched.",
  },
  ClusterSlow: {
    severity: "warning",
    metric: "replication_cluster_slow",
    holds: { is: "==", than: 1 },
    hint: "The cluster answers, but slowly; its runs get fewer slots so that others are not held up. Look at its load and at the network between.",
  },
  CredentialsRefused: {
    severity: "critical",
    metric: "replication_credentials_refused",
    holds: { is: "==", than: 1 },
    hint: "The user name, password or token of the cluster is wrong by now, or was revoked. Save the cluster with the right ones; nothing reaches it until then.",
  },
  WorkersMissing: {
    severity: "critical",
    metric: "replication_process_up",
    holds: { is: "==", than: 0 },
    hint: "Nothing is replicated until it is back. Look at the log of the service; a transfer worker may also run elsewhere (npm run worker), or TRANSFER_WORKERS may be 0.",
  },
  WorkerRefused: {
    severity: "warning",
    metric: "replication_workers_refused",
    holds: { is: ">", than: 0 },
    hint: "Set the clock of the worker's machine, give it this instance's SECRET_KEY, or bring it to this release, as the reason says; until then it takes no work.",
  },
  BatchKillsWorkers: {
    severity: "critical",
    metric: "replication_batch_deaths_total",
    grown: true,
    labels: { again: "true" },
    holds: { is: ">", than: 0 },
    hint: "A batch was lost with its worker more than once. Look in the log for why workers end (memory, a crash); the artifact that does it is found by itself and fails alone.",
  },
  DiskLow: {
    severity: "critical",
    metric: "replication_disk_free_bytes",
    holds: { is: "<", than: "replication_disk_wanted_bytes" },
    hint: "Free space below DATA_DIR, or give it a larger disk. When it is full uploads are refused with 507 and runs wait; nothing is damaged.",
  },
  ConflictsLeftAlone: {
    severity: "warning",
    metric: "replication_conflicts_left",
    holds: { is: ">", than: 0 },
    hint: "The target has other content under the same names, and conflictStrategy SKIP left it there: the ends differ. Look at the details with conflict, then let OVERWRITE replace it or remove it at one end.",
  },
};

/** Whether a number is such that the alert is told; `than`: the other metric's value, where the rule names one. */
export function holds(alert: Alert, value: number, other = Number.NaN): boolean {
  const { is, than } = ALERT_RULES[alert].holds;
  const limit = typeof than === "number" ? than : other;
  return is === ">" ? value > limit : is === "<" ? value < limit : value === limit;
}

/** The same as an expression of Prometheus' rules. */
export function expressionOf(alert: Alert): string {
  const {
    metric,
    grown,
    labels = {},
    holds: { is, than },
  } = ALERT_RULES[alert];
  const selector = Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(",");
  const series = selector === "" ? metric : `${metric}{${selector}}`;
  return `${grown ? `increase(${series}[${DEATHS_TOLD_FOR / 60_000}m])` : series} ${is} ${than}`;
}
