import type { Db } from "../../../db/open.ts";
import { record } from "../../../db/schema/records.ts";
import { task, taskCluster, taskObject } from "../../../db/schema/tasks.ts";
import type { RunSnapshot } from "../../../domain/task.ts";
import { newId, newKey } from "../../../domain/ids.ts";
import type { UploadRefusal } from "../../../domain/vocabulary.ts";
import type { TestApi } from "../api/api-fixture.ts";
import { addDetails, endRecord } from "../db/rows.ts";
import { SETTING } from "../db/setting.ts";
import { authorizationOf, type Instance } from "./instance.ts";

/** One series of a scrape with its labels. */
type Series = { name: string; labels: Record<string, string>; value: number };

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

/** Reads every series of a text in Prometheus' format; throws on a line that is not in the format. */
export function readSeries(text: string): Series[] {
  return text.split("\n").flatMap((line) => {
    if (line === "" || line.startsWith("# ")) return [];
    const [, name, labels = "", value] = LINE.exec(line) ?? [];
    if (name === undefined) throw new Error(`line is not in Prometheus' format: ${line}`);
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
      ([, key = "", text = ""]) => [key, unescape(text)] as const,
    );
    return [
      {
        name,
        labels: Object.fromEntries(pairs),
        value: Number(value?.replace("Inf", "Infinity")),
      },
    ];
  });
}

const unescape = (text: string) =>
  text.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));

/** Returns the value of the one series with these labels, other labels ignored; undefined if there is none. */
export function valueOf(
  series: readonly Series[],
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const found = series.filter(
    (one) =>
      one.name === name &&
      Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  );
  if (found.length > 1)
    throw new Error(
      `${found.length} series of ${name} have the labels ${JSON.stringify(labels)}`,
    );
  return found[0]?.value;
}

/** Returns how many uploads the API has refused for a reason; at most a second old. */
export async function refusedUploads(
  { call }: Pick<TestApi, "call">,
  reason: UploadRefusal,
): Promise<number> {
  const { text } = await call("GET", "/metrics");
  return (
    valueOf(readSeries(text), "replication_refused_uploads_total", { reason }) ??
    Number.NaN
  );
}

/** Saves a task without applying its rules, fast enough for hundreds. */
export function addTask(
  db: Db,
  name: string,
  clusterIds: readonly string[],
  now: number,
  more: Partial<typeof task.$inferInsert> = {},
): string {
  const key = newKey();
  const audit = {
    createdBy: "admin",
    createdDate: now,
    lastModifiedBy: "admin",
    lastModifiedDate: now,
  };
  db.insert(task)
    .values({
      key,
      id: newId(),
      name,
      kind: "task",
      projectId: "p",
      replicaObjectType: "REPOSITORY",
      replicaType: "SCHEDULED",
      setting: SETTING,
      enabled: true,
      record: true,
      recordReserveDays: 30,
      ...audit,
      ...more,
    })
    .run();
  db.insert(taskObject)
    .values({ taskKey: key, position: 0, localRepoName: "files", repoType: "GENERIC" })
    .run();
  for (const [position, clusterId] of clusterIds.entries())
    db.insert(taskCluster).values({ taskKey: key, position, clusterId }).run();
  return key;
}

type Run = {
  cause?: "MANUAL" | "SCHEDULED" | "REAL_TIME";
  clusterId: string;
  start: number;
  end?: number;
  status?: "SUCCESS" | "FAILED";
  details?: Parameters<typeof addDetails>[1][number][];
};

/**
 * Saves a run with its details as workers report them and returns its record id; without `end` the run is still going
 * on.
 */
export function addRun(
  db: Db,
  taskKey: string,
  { cause = "MANUAL", clusterId, start, end, status = "SUCCESS", details = [] }: Run,
): string {
  const id = newId();
  const workflowId = {
    MANUAL: `repl/${taskKey}/${id}`,
    SCHEDULED: `repl/${taskKey}-2030-01-01T00:00:00Z`,
    REAL_TIME: `repl-rt/${taskKey}/${clusterId}`,
  }[cause];
  const snapshot: RunSnapshot = {
    taskName: "",
    projectId: "p",
    replicaObjectType: "REPOSITORY",
    replicaType: "SCHEDULED",
    setting: SETTING,
    record: true,
    localCluster: "center",
    objects: [],
    clusters: [{ id: clusterId, name: "", type: "STANDALONE" }],
  };
  db.insert(record)
    .values({
      id,
      taskKey,
      clusterId: cause === "REAL_TIME" ? clusterId : "",
      workflowId,
      status: "RUNNING",
      startTime: start,
      snapshot,
    })
    .run();
  if (details.length > 0)
    addDetails(
      db,
      details.map((detail, seq) => ({ ...detail, seq, recordId: id, clusterId })),
    );
  if (end !== undefined) endRecord(db, id, status, end);
  return id;
}

/** Returns every SQL statement that `work` prepares. */
export async function statementsOf(
  db: Db,
  work: () => Promise<unknown>,
): Promise<string[]> {
  const seen = new Set<string>();
  const { $client: client } = db;
  const prepare = client.prepare.bind(client);
  client.prepare = ((text: string) => (
    seen.add(text),
    prepare(text)
  )) as typeof client.prepare;
  try {
    await work();
  } finally {
    client.prepare = prepare;
  }
  return [...seen];
}

/** Returns SQLite's query plan of a statement. */
export function planOf(db: Db, statement: string): string[] {
  const parameters = (statement.match(/\?/g) ?? []).map(() => null);
  return db.$client
    .prepare(`EXPLAIN QUERY PLAN ${statement}`)
    .all(...parameters)
    .map((row) => (row as { detail: string }).detail);
}

/** Reads /metrics of a real instance with the admin's login. */
export async function scrapeOf(
  instance: Pick<Instance, "url" | "username" | "password">,
): Promise<string> {
  const answer = await fetch(`${instance.url}/metrics`, {
    headers: { authorization: authorizationOf(instance) },
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`GET /metrics: ${answer.status} ${text}`);
  return text;
}
