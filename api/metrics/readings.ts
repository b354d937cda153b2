import { type Alert, ALERT_RULES, holds, OVERDUE_AFTER } from "../../domain/alerts.ts";
import { byteSize, wantedFree } from "../../domain/disk.ts";
import type { Labels } from "./exposition.ts";
import type { Survey } from "./survey.ts";

/**
 * One value that an alert checks: `value` under `labels` in the metric; the rest describes the
 * problem while the alert is active. `than`: a limit for this reading alone; `since`: epoch ms,
 * null = since it was first noticed.
 */
type Reading = {
  labels: Labels;
  value: number;
  than?: number;
  since: number | null;
  subject: string;
  tell: () => string;
};

/**
 * For each alert, a function that computes its readings from a survey. Metrics and problems both
 * use these.
 */
export const READINGS = {
  TaskOverdue: ({ now, tasks, running, sample }) => {
    const busy = new Set(running.map(({ taskKey }) => taskKey));
    return [...sample.due].flatMap(([taskKey, due]) => {
      const task = tasks.get(taskKey);
      if (!task?.enabled) return [];
      const overdue = due + OVERDUE_AFTER < now && !busy.has(taskKey);
      return {
        labels: { task: taskKey },
        value: overdue ? 1 : 0,
        since: due,
        subject: task.name,
        tell: () =>
          `task ${task.name} should have run ${ago(now - due)} ago, and has not begun`,
      };
    });
  },

  RunStalled: ({ now, running, tasks, sample }) =>
    running.map(({ id, taskKey, startTime, progress }) => {
      const again = [...(sample.runs.get(id)?.again.values() ?? [])];
      const waiting = again.reduce((all, { count }) => all + count, 0);
      const reason = again.find((each) => each.reason !== null)?.reason;
      const name = tasks.get(taskKey)?.name ?? taskKey;
      const tries =
        waiting === 0
          ? ""
          : `; ${waiting} artifacts wait to be tried again${reason ? `, one because: ${reason}` : ""}`;
      const tell = () =>
        `the run of task ${name} (record ${id}, begun ${ago(now - startTime)} ago) ` +
        `has had no outcome and moved no byte for ${ago(now - progress)}${tries}`;
      return {
        labels: { task: taskKey },
        value: Math.max(0, now - progress) / 1000,
        since: progress,
        subject: name,
        tell,
      };
    }),

  RunStuck: ({ running, unbegun, tasks }) => {
    const reading = (taskKey: string, tell: (name: string) => string): Reading => {
      const name = tasks.get(taskKey)?.name ?? taskKey;
      return { labels: {}, value: 1, since: null, subject: name, tell: () => tell(name) };
    };
    const runs = running.flatMap(({ id, taskKey, problem }) =>
      problem === null
        ? []
        : reading(
            taskKey,
            (name) => `the run of task ${name} (record ${id}) does not go on: ${problem}`,
          ),
    );
    const firings = unbegun.map((taskKey) =>
      reading(taskKey, (name) => `a firing of task ${name} cannot begin: ${BROKEN_CODE}`),
    );
    return [...runs, ...firings];
  },

  RealTimeLag: ({ now, sample, tasks, clusters }) =>
    sample.behind.map(({ taskKey, clusterId, oldest, held }) => {
      const [task, cluster] = [
        tasks.get(taskKey)?.name ?? taskKey,
        clusters.get(clusterId),
      ];
      const name = cluster?.name ?? clusterId;
      const lag = oldest === null ? 0 : Math.max(0, now - oldest);
      const why = [
        held > 0 ? `${held} artifacts wait for another try` : "",
        cluster?.errorReason ? `the cluster: ${cluster.errorReason}` : "",
      ].filter(Boolean);
      const tell = () =>
        [
          `cluster ${name} lacks an upload of ${ago(lag)} ago that task ${task} sends there in REAL_TIME`,
          ...why,
        ].join("; ");
      return {
        labels: { task: taskKey, cluster: name },
        value: lag / 1000,
        since: oldest,
        subject: `${task} → ${name}`,
        tell,
      };
    }),

  ClusterDown: ({ clusters }) =>
    [...clusters.values()]
      .filter(({ detectType }) => detectType === "PING")
      .map(({ name, url, status, errorReason }) => {
        const tell = () =>
          `cluster ${name} (${url}) cannot be used: ${errorReason ?? "no reason is known"}`;
        return {
          labels: { cluster: name },
          value: status === "HEALTHY" ? 1 : 0,
          since: null,
          subject: name,
          tell,
        };
      }),

  ClusterSlow: ({ clusters, slow }) =>
    [...clusters.values()].map(({ id, name }) => {
      return {
        labels: { cluster: name },
        value: slow.has(id) ? 1 : 0,
        since: null,
        subject: name,
        tell: () => `cluster ${name} answers slowly`,
      };
    }),

  CredentialsRefused: ({ clusters, signals }) =>
    [...clusters.values()].map(({ id, name, url, errorReason }) => {
      const since = signals.credentials.get(id) ?? null;
      const tell = () =>
        `cluster ${name} (${url}) refuses our credentials: ${errorReason ?? "no reason is known"}`;
      return {
        labels: { cluster: name },
        value: since === null ? 0 : 1,
        since,
        subject: name,
        tell,
      };
    }),

  WorkersMissing: ({ processes, sample }) => {
    const up = {
      temporal: processes.temporal,
      orchestrator: processes.orchestrator,
      "transfer worker": sample.hasWorker,
    };
    const lost = {
      temporal: "Temporal does not answer",
      orchestrator: "the orchestrator does not run",
      "transfer worker": "no transfer worker polls for work, here or elsewhere",
    };
    return Object.entries(up).map(([process, isUp]) => {
      return {
        labels: { process },
        value: isUp ? 1 : 0,
        since: null,
        subject: process,
        tell: () => lost[process as keyof typeof lost],
      };
    });
  },

  WorkerRefused: ({ signals }) =>
    signals.refusals.map(({ reason, worker, address, since }) => {
      return {
        labels: { reason },
        value: 1,
        since,
        subject: worker,
        tell: () =>
          `the transfer worker ${worker} at ${address} is given no work: ${REFUSED[reason]}`,
      };
    }),

  BatchKillsWorkers: ({ now, signals }) =>
    signals.deaths.recent.map(({ subject, deaths, at }) => {
      return {
        labels: { again: "true" },
        value: 1,
        since: at,
        subject,
        tell: () =>
          `${subject} was lost with its worker ${deaths} times, the last time ${ago(now - at)} ago`,
      };
    }),

  AdminPasswordWeak: ({ passwordWeakness: why }) => [
    {
      labels: {},
      value: why === null ? 0 : 1,
      since: null,
      subject: "ADMIN_PASSWORD",
      tell: () => `the password of the administrator is easy to guess: ${why}`,
    },
  ],

  CertificateEnds: ({ now, certificate }) => {
    if (certificate === null) return [];
    const left = certificate.ends - now;
    const tell = () =>
      left > 0
        ? `the certificate of the API ends in ${ago(left)}`
        : `the certificate of the API ended ${ago(-left)} ago`;
    return [{ labels: {}, value: left / 1000, since: null, subject: CERTIFICATE, tell }];
  },

  CertificateUnusable: ({ certificate }) => {
    if (certificate === null) return [];
    const { unusable } = certificate;
    return [
      {
        labels: {},
        value: unusable === null ? 0 : 1,
        since: unusable?.since ?? null,
        subject: CERTIFICATE,
        tell: () => `the changed certificate cannot be used: ${unusable?.reason}`,
      },
    ];
  },

  DiskLow: ({ sample: { disk } }) => {
    const than = wantedFree(disk);
    const free = `${byteSize(disk.free)} of ${byteSize(disk.size)} are free on the disk with DATA_DIR`;
    const tell = () =>
      disk.free < disk.reserve
        ? `${free}, less than the ${byteSize(disk.reserve)} of DISK_RESERVE: uploads are refused`
        : `${free}, less than the ${byteSize(than)} wanted`;
    return [
      { labels: {}, value: disk.free, than, since: null, subject: "DATA_DIR", tell },
    ];
  },

  ContentDamaged: ({ damaged: { named, total } }) => {
    const readings = named.map(({ sha256, cause, foundDate, files, count }): Reading => {
      const names = `${files.join(", ")}${count > files.length ? `, … (${count})` : ""}`;
      const tell = () =>
        cause === "MISSING"
          ? `the content of ${names} is missing in the store (sha256:${sha256})`
          : `the content of ${names} is damaged in the store, so it is in the quarantine (sha256:${sha256})`;
      return { labels: {}, value: 1, since: foundDate, subject: files[0] ?? "", tell };
    });
    const rest = total - named.length;
    if (rest === 0) return readings;
    const tell = () => `${rest} more contents are missing or damaged in the store`;
    return [
      ...readings,
      { labels: {}, value: rest, since: null, subject: "store", tell },
    ];
  },

  ConflictsLeftAlone: ({ now, conflictsLeft, tasks, clusters }) =>
    conflictsLeft.flatMap(
      ({ taskKey, clusterId, conflictsLeft: left, conflictsTime }) => {
        const [task, cluster] = [
          tasks.get(taskKey),
          clusters.get(clusterId)?.name ?? clusterId,
        ];
        if (!task) return [];
        const value =
          task.replicaType === "REAL_TIME" && now - conflictsTime > DAY ? 0 : left;
        const tell = () =>
          `${left} artifacts of task ${task.name} differ at cluster ${cluster} ` +
          "and were left alone there (conflictStrategy SKIP)";
        return {
          labels: { task: taskKey, cluster },
          value,
          since: conflictsTime,
          subject: `${task.name} → ${cluster}`,
          tell,
        };
      },
    ),
} satisfies Record<Alert, (survey: Survey) => Reading[]>;

const DAY = 86_400_000;
const CERTIFICATE = "TLS_CERT_PATH";
const BROKEN_CODE =
  "its code fails; install a release that does not fail there, and the firing goes on";
const REFUSED = {
  clock: "its clock is off",
  key: "its WORKER_TOKEN is not one of this instance",
  protocol: "its release cannot work with this one",
};

/** Whether a reading makes its alert active. */
export function isTold(alert: Alert, { value, than }: Reading): boolean {
  return holds(alert, value, than);
}

/** The alerts whose readings are exported as gauges. */
export const GAUGE_ALERTS = (Object.keys(READINGS) as Alert[]).filter(
  (alert) => ALERT_RULES[alert].grown === undefined,
);

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
  ["s", 1],
] as const;

/** Writes a duration (ms) in its two largest units that are not 0: "2 h 5 min". */
function ago(ms: number): string {
  let rest = Math.max(0, Math.round(ms / 1000));
  const parts = UNITS.flatMap(([unit, seconds]) => {
    const count = Math.floor(rest / seconds);
    rest %= seconds;
    return count > 0 ? [`${count} ${unit}`] : [];
  });
  return parts.slice(0, 2).join(" ") || "0 s";
}
