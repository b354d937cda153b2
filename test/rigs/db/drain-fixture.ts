import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { and, asc, eq } from "drizzle-orm";
import { putBlobs } from "../../../db/content/blobs.ts";
import { deleteNodes } from "../../../db/content/delete-nodes.ts";
import { findCursor } from "../../../db/pending/cursors.ts";
import { beginDrain, type DrainStep, growDrain } from "../../../db/drains/open.ts";
import { openDb, write } from "../../../db/open.ts";
import {
  deleteVersionRow,
  findPackage,
  findVersion,
  putVersion,
  tellVersion,
} from "../../../db/packages/versions.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import { findRecord } from "../../../db/records/records.ts";
import { findRepository } from "../../../db/content/repositories.ts";
import { takeBatch } from "../../../db/runs/batch.ts";
import { closeRecord } from "../../../db/runs/close.ts";
import { cutBatches } from "../../../db/runs/cut.ts";
import { takeReports } from "../../../db/runs/outcomes.ts";
import { pending } from "../../../db/schema/content.ts";
import { plan } from "../../../db/schema/plans.ts";
import { detail, record } from "../../../db/schema/records.ts";
import { insertTask, setTaskEnabled, updateTask } from "../../../db/tasks/tasks.ts";
import type { ArtifactResult } from "../../../domain/outcome.ts";
import { noParts } from "../../../domain/outcome.ts";
import type { TaskObject, TaskSetting } from "../../../domain/task.ts";
import type { RepositoryType } from "../../../domain/vocabulary.ts";
import type { BatchArtifact } from "../../../domain/worker-messages.ts";
import { addCluster, addRepository } from "./rows.ts";
import { SETTING } from "./setting.ts";

export const FILES: TaskObject = {
  localRepoName: "files",
  repoType: "GENERIC",
  remoteProjectId: null,
  remoteRepoName: null,
  packageConstraints: null,
  pathConstraints: null,
};
export const paths = (...list: string[]): TaskObject => ({
  ...FILES,
  pathConstraints: list.map((path) => ({ path })),
});

export const SENT: ArtifactResult = { kind: "sent" };
export const BROKEN: ArtifactResult = {
  kind: "failed",
  reason: "refused",
  conflict: false,
  stopsCluster: false,
};
export const CONFLICT: ArtifactResult = {
  kind: "failed",
  reason: "other content is there",
  conflict: true,
  stopsCluster: true,
};
export const LATER: ArtifactResult = {
  kind: "again",
  reason: "it answered 503",
  notBefore: null,
  uploads: [],
  throttled: false,
};
export const UNREACHABLE: ArtifactResult = {
  ...LATER,
  reason: "connection refused",
  unreachable: true,
};

type Drained = Extract<DrainStep, { kind: "drain" }>;
/** `packages`: the type of an additional repository, p/packages. */
type Options = {
  objects?: TaskObject[];
  clusters?: number;
  setting?: Partial<TaskSetting>;
  type?: "STANDALONE" | "REMOTE";
  packages?: RepositoryType;
};

/**
 * Creates a REAL_TIME task over repositories p/files and p/more, its clusters, and a clock. The test
 * does the work of the worker.
 */
export function createFollowed({
  objects = [FILES],
  clusters = 1,
  setting = {},
  type = "STANDALONE",
  packages,
}: Options = {}) {
  const directory = mkdtempSync(join(tmpdir(), "drains-test-"));
  const db = openDb(join(directory, "replication.db"));
  const time = { now: Date.parse("2030-01-01T00:00:00Z") };
  const by = () => ({ user: "tester", now: time.now });
  for (const name of ["files", "more"]) addRepository(db, "p", name, "GENERIC");
  if (packages) addRepository(db, "p", "packages", packages);
  const clusterIds = Array.from({ length: clusters }, (_, at) =>
    addCluster(db, `cluster-${at}`, type),
  );
  const [clusterId = ""] = clusterIds;
  const task = {
    name: "follow",
    kind: "task",
    projectId: "p",
    replicaObjectType: "REPOSITORY",
    replicaType: "REAL_TIME",
    setting: { ...SETTING, conflictStrategy: "OVERWRITE", ...setting },
    description: null,
    enabled: true,
    record: true,
    recordReserveDays: 30,
    nextExecutionTime: null,
  } as const;
  const taskKey = insertTask(db, task, objects, clusterIds, by()) ?? "";
  const cuts = new Map<string, number>();
  time.now += 1;

  const repositoryOf = (name: string) =>
    findRepository(db, "p", name) ?? {
      id: 0,
      projectId: "p",
      name,
      type: "GENERIC" as const,
    };

  /** Creates or changes a version of p/packages, given as `name:version`, and logs its event. */
  function release(label: string, content = label): void {
    const { name, version } = splitLabel(label);
    const audit = {
      createdBy: "tester",
      createdDate: time.now,
      lastModifiedBy: "tester",
      lastModifiedDate: time.now,
    };
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    write(db, (tx) => {
      const row = putVersion(
        tx,
        repositoryOf("packages").id,
        name,
        { name: version, digest, size: content.length, complete: true, document: null },
        audit,
      );
      tellVersion(tx, repositoryOf("packages"), name, row, time.now);
    });
  }

  function withdraw(label: string): void {
    const { name, version } = splitLabel(label);
    const owner = findPackage(db, repositoryOf("packages").id, name);
    const row = owner && findVersion(db, owner.id, version);
    if (row) write(db, (tx) => deleteVersionRow(tx, row));
  }

  /** Stores files, given as path and content, in one transaction. */
  function uploadAll(
    files: readonly (readonly [path: string, content: string])[],
    repoName = "files",
  ): void {
    const contents = files.map(([fullPath, content]) => ({
      fullPath,
      content,
      sha256: createHash("sha256").update(content).digest("hex"),
    }));
    putBlobs(
      db,
      contents.map(({ sha256, content }) => ({
        sha256,
        md5: "0".repeat(32),
        size: content.length,
        inline: true,
      })),
      time.now,
    );
    putNodes(
      db,
      repositoryOf(repoName),
      contents.map(({ fullPath, sha256 }) => ({ fullPath, sha256, metadata: {} })),
      { overwrite: true, ...by() },
    );
  }

  const begin = (to = clusterId): DrainStep =>
    beginDrain(db, {
      taskKey,
      clusterId: to,
      workflowId: `repl-rt/${taskKey}/${to}`,
      localCluster: "center",
      now: time.now,
    });

  function drain(to = clusterId): Drained {
    const step = begin(to);
    if (step.kind !== "drain")
      throw new Error(`the drain has nothing to do: ${JSON.stringify(step)}`);
    return step;
  }

  /**
   * Cuts the due artifacts of an object into batches and takes them as a worker; `report` reports a
   * result for each artifact.
   */
  function take(
    recordId: string,
    object = 0,
  ): {
    artifacts: BatchArtifact[];
    report: (result: (path: string) => ArtifactResult) => string | null;
  }[] {
    const to =
      db.select().from(record).where(eq(record.id, recordId)).get()?.clusterId ?? "";
    const id = `${recordId}/${object}`;
    const cut = (cuts.get(id) ?? 0) + 1;
    cuts.set(id, cut);
    const { batches } = cutBatches(
      db,
      { recordId, object, clusterId: to, cut, most: 100 },
      time.now,
    );
    return batches.flatMap(({ number }) => {
      const batch = takeBatch(db, recordId, number, time.now);
      if (batch.kind !== "batch") return [];
      const report = (result: (path: string) => ArtifactResult) => {
        const reports = batch.artifacts.map(({ seq, name, version, size, sha256 }) => ({
          seq,
          name,
          version,
          sizePlanned: true,
          size,
          startTime: time.now,
          bytesSent: 0,
          uploads: [],
          outcome: {
            result: result(labelOf({ name, version })),
            digest: `sha256:${sha256}`,
            size,
            parts: noParts(),
            bytesSent: 0,
          },
        }));
        return takeReports(
          db,
          { recordId, number, epoch: batch.epoch, reports },
          0,
          time.now,
        ).stop;
      };
      return [{ artifacts: batch.artifacts, report }];
    });
  }

  /** Sends each due artifact once and returns their labels. */
  function send(
    recordId: string,
    result: (path: string) => ArtifactResult = () => SENT,
    object = 0,
  ): string[] {
    return take(recordId, object).flatMap(({ artifacts, report }) => {
      report(result);
      return artifacts.map(labelOf);
    });
  }

  async function close(recordId: string, interrupted: string | null = null) {
    return closeRecord(db, recordId, interrupted, () => time.now);
  }

  return {
    db,
    taskKey,
    clusterId,
    clusterIds,
    time,
    uploadAll,
    release,
    withdraw,
    upload: (...list: string[]) => uploadAll(list.map((path) => [path, path])),
    remove: (path: string) => deleteNodes(db, repositoryOf("files").id, path, time.now),
    begin,
    drain,
    grow: (recordId: string) => growDrain(db, recordId, time.now),
    take,
    send,
    close,
    /** Runs a whole drain in which each file ends at once with `result`. */
    async run(result: (path: string) => ArtifactResult = () => SENT, to = clusterId) {
      const { recordId } = drain(to);
      send(recordId, result);
      return { recordId, closed: await close(recordId) };
    },
    /** Runs a drain for 61 s of its clock, longer than it retries anything (60 s), and closes it. */
    async exhaust(result: (path: string) => ArtifactResult, to = clusterId) {
      const { recordId } = drain(to);
      for (const end = time.now + 61_000; time.now < end; time.now += 500)
        send(recordId, result);
      return { recordId, closed: await close(recordId) };
    },
    cursor: (to = clusterId) => findCursor(db, { taskKey, clusterId: to }),
    toggle: (enabled: boolean) =>
      setTaskEnabled(db, taskKey, { enabled, nextExecutionTime: null }, by()),
    update: (newObjects: TaskObject[], newClusters: string[] = clusterIds) =>
      updateTask(db, taskKey, {}, newObjects, newClusters, by()),
    planned: (recordId: string, object = 0) =>
      db
        .select()
        .from(plan)
        .where(and(eq(plan.recordId, recordId), eq(plan.object, object)))
        .orderBy(asc(plan.seq))
        .all()
        .map(labelOf),
    details: (recordId: string) =>
      db
        .select()
        .from(detail)
        .where(eq(detail.recordId, recordId))
        .orderBy(asc(detail.artifactName))
        .all()
        .map(({ artifactName, status, errorReason }) => ({
          artifactName,
          status,
          errorReason,
        })),
    overview: (recordId: string) => findRecord(db, recordId)?.overview,
    waiting: () =>
      db
        .select()
        .from(pending)
        .orderBy(asc(pending.path))
        .all()
        .map(
          ({ path, version, tries }) => `${labelOf({ name: path, version })} ${tries}`,
        ),
    destroy(): void {
      db.$client.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const labelOf = ({ name, version }: { name: string; version: string }) =>
  version === "" ? name : `${name}:${version}`;
const splitLabel = (label: string) => ({
  name: label.slice(0, label.lastIndexOf(":")),
  version: label.slice(label.lastIndexOf(":") + 1),
});

export type Followed = ReturnType<typeof createFollowed>;
