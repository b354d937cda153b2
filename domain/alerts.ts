/**
 * The alerts for operators. Each condition and threshold is defined here only, for the metrics, for the
 * problems that the API reports and for Prometheus' alert rules.
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
  "ContentDamaged",
  "ConflictsLeftAlone",
  "AdminPasswordWeak",
  "CertificateEnds",
  "CertificateUnusable",
] as const;
export type Alert = (typeof ALERTS)[number];

export const SEVERITIES = ["critical", "warning"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** A scheduled start for which no run has begun counts as overdue after this time (ms). */
export const OVERDUE_AFTER = 10 * 60_000;
/** A certificate of this instance that is valid for less than this time (seconds) is reported. */
const CERTIFICATE_ENDS_WITHIN = 14 * 86_400;
/** For how long (ms) it is reported that a batch was lost with its worker more than once. */
export const DEATHS_TOLD_FOR = 30 * 60_000;
/**
 * For how long (ms) after its last refusal a worker is reported as refused; less if it is admitted
 * meanwhile.
 */
export const REFUSALS_TOLD_FOR = 5 * 60_000;
type Rule = {
  severity: Severity;
  /** Metric whose value is compared. */
  metric: string;
  /** True: the metric is a counter, and its growth within DEATHS_TOLD_FOR is compared. */
  grown?: true;
  labels?: Readonly<Record<string, string>>;
  holds: { is: ">" | "<" | "=="; than: number | string };
  /** Advice to the operator, in a sentence or two. */
  hint: string;
};

/**
 * The rule of each alert. `than`: the limit; if it is a text, the name of another metric whose value is the
 * limit.
 */
export const ALERT_RULES: Readonly<Record<Alert, Rule>> = {
  TaskOverdue: {
    severity: "warning",
    metric: "replication_task_overdue",
    holds: { is: ">", than: 0 },
    hint:
      "Check whether Temporal and the orchestrator are up (/health/ready) and whether the task's schedule is paused " +
      "in Temporal's UI. Execute the task by hand to catch up.",
  },
  RunStalled: {
    severity: "warning",
    metric: "replication_run_stalled_seconds",
    holds: { is: ">", than: 900 },
    hint:
      "Check the last reason in the run's details, and whether its target answers and transfer workers are up. Stop " +
      "the task and execute it again once the cause is removed: finished artifacts are not sent again.",
  },
  RunStuck: {
    severity: "critical",
    metric: "replication_stuck_runs",
    holds: { is: ">", than: 0 },
    hint:
      "The run cannot go on without help. Stop its task: the record is closed with the results so far, and the task " +
      "can be executed again. Keep the record's problem for a report.",
  },
  RealTimeLag: {
    severity: "warning",
    metric: "replication_real_time_lag_seconds",
    holds: { is: ">", than: 300 },
    hint:
      "Check the cluster's errorReason and the task's newest records for the cluster. Nothing is lost: waiting " +
      "uploads are sent as soon as the cluster accepts them.",
  },
  ClusterDown: {
    severity: "warning",
    metric: "replication_cluster_up",
    holds: { is: "==", than: 0 },
    hint:
      "Check the other end, its certificate, and the network between. Runs to it retry for RETRY_WINDOW; other " +
      "clusters are not affected.",
  },
  ClusterSlow: {
    severity: "warning",
    metric: "replication_cluster_slow",
    holds: { is: "==", than: 1 },
    hint:
      "The cluster answers, but slowly; its runs get fewer slots so that others are not delayed. Check its load and " +
      "the network between.",
  },
  CredentialsRefused: {
    severity: "critical",
    metric: "replication_credentials_refused",
    holds: { is: "==", than: 1 },
    hint:
      "The user name, password or token of the cluster is no longer valid. Save the cluster with valid ones; nothing " +
      "is sent to it until then. Uploads that a REAL_TIME task could not send meanwhile are not sent later: upload " +
      "them again, or run a SCHEDULED task once.",
  },
  WorkersMissing: {
    severity: "critical",
    metric: "replication_process_up",
    holds: { is: "==", than: 0 },
    hint:
      "Nothing is replicated until the process is back. Check the log of the service; a transfer worker may also run " +
      "elsewhere (npm run worker), or TRANSFER_WORKERS may be 0.",
  },
  WorkerRefused: {
    severity: "warning",
    metric: "replication_workers_refused",
    holds: { is: ">", than: 0 },
    hint:
      "Set the clock of the worker's machine, give it a WORKER_TOKEN of this instance, or install this release on " +
      "it, as the reason says; until then it takes no work.",
  },
  BatchKillsWorkers: {
    severity: "critical",
    metric: "replication_batch_deaths_total",
    grown: true,
    labels: { again: "true" },
    holds: { is: ">", than: 0 },
    hint:
      "A batch was lost with its worker more than once. Check the log for why workers end (memory, a crash); the " +
      "artifact that causes it is found automatically and fails alone.",
  },
  DiskLow: {
    severity: "critical",
    metric: "replication_disk_free_bytes",
    holds: { is: "<", than: "replication_disk_wanted_bytes" },
    hint:
      "Delete what is not needed and have its space collected (POST /repository/api/store/collect), or move DATA_DIR " +
      "to a larger disk. Below DISK_RESERVE uploads are refused with 507; on a full disk runs wait as well. Nothing " +
      "is damaged.",
  },
  ContentDamaged: {
    severity: "critical",
    metric: "replication_damaged_contents",
    holds: { is: ">", than: 0 },
    hint:
      "Upload the named files again, or replicate them here again; deleting them ends the problem, too. What is " +
      "wrong is kept below DATA_DIR/quarantine meanwhile. Check the disk: it lost or changed bytes.",
  },
  ConflictsLeftAlone: {
    severity: "warning",
    metric: "replication_conflicts_left",
    holds: { is: ">", than: 0 },
    hint:
      "The target has other content under the same names, and conflictStrategy SKIP left it there: the ends differ. " +
      "Check the details with conflict, then replace the content with OVERWRITE or remove it at one end.",
  },
  AdminPasswordWeak: {
    severity: "warning",
    metric: "replication_admin_password_weak",
    holds: { is: "==", than: 1 },
    hint:
      "Set ADMIN_PASSWORD to one of 12 or more characters, start the service again, and save the new password in the " +
      "clusters of other instances that lead here.",
  },
  CertificateEnds: {
    severity: "warning",
    metric: "replication_certificate_left_seconds",
    holds: { is: "<", than: CERTIFICATE_ENDS_WITHIN },
    hint:
      "Have the certificate renewed and put it, with its key, into the files of TLS_CERT_PATH and TLS_KEY_PATH: they " +
      "are read again without a restart. Clients refuse a certificate that has ended.",
  },
  CertificateUnusable: {
    severity: "warning",
    metric: "replication_certificate_unusable",
    holds: { is: "==", than: 1 },
    hint:
      "The certificate that was read before stays in use until it ends. Correct the files of TLS_CERT_PATH and " +
      "TLS_KEY_PATH, which are read again within a minute: before that the service does not start again.",
  },
};

/**
 * Checks whether the value raises the alert. `other`: the value of the second metric, if the rule names
 * one; without it such a rule never holds.
 */
export function holds(alert: Alert, value: number, other = Number.NaN): boolean {
  const { is, than } = ALERT_RULES[alert].holds;
  const limit = typeof than === "number" ? than : other;
  return is === ">" ? value > limit : is === "<" ? value < limit : value === limit;
}

/** Returns the condition of the alert as a Prometheus expression. */
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
