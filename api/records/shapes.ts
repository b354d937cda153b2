import { z } from "@hono/zod-openapi";
import type { DetailRow } from "../../db/records/details.ts";
import type { RecordView } from "../../db/records/records.ts";
import { packageKeyOf, parsePackageKey } from "../../domain/package-key.ts";
import type {
  PackageConstraint,
  PathConstraint,
  RunSnapshot,
} from "../../domain/task.ts";
import { formatTime } from "../../domain/time.ts";
import {
  COMPARED_BY,
  EXECUTION_STATUSES,
  REPLICA_OBJECT_TYPES,
  REPLICA_TYPES,
  REPOSITORY_TYPES,
  VERIFIED_BY,
} from "../../domain/vocabulary.ts";
import { matchesWildcard } from "../../domain/wildcard.ts";
import { orNull, recordId, taskKey, time } from "../http/fields.ts";

const whole = z.number().int();

export const Overview = z
  .object({
    success: whole.openapi({
      description: "Artifacts at the target, including equal ones that were skipped",
    }),
    failed: whole,
    conflict: whole.openapi({
      description: "Artifacts that the target had with other content",
    }),
    fileSuccess: whole.openapi({ description: "Files and manifests that were sent" }),
    fileFailed: whole,
    planned: whole.openapi({ description: "Always success + failed + notDone" }),
    skip: whole.openapi({
      description: "The part of success for which nothing was sent",
    }),
    notDone: whole,
  })
  .openapi("Overview");

export const RecordInfo = z
  .object({
    id: recordId,
    taskKey,
    workflowId: z.string().openapi({
      description:
        "The execution in Temporal's UI; drains of a task to one cluster share one id",
    }),
    status: z.enum(EXECUTION_STATUSES),
    startTime: time,
    endTime: time.nullable(),
    errorReason: z.string().nullable(),
    problem: z.string().nullable().openapi({
      description:
        "What keeps the run from going on, or makes the record uncertain; null when nothing does",
    }),
    waitingFor: z.string().nullable().openapi({
      description:
        "What the run waits for while it is RUNNING, such as a registry that is down; null: nothing",
    }),
    replicatedBytes: whole,
    totalBytes: whole,
    bytesRead: whole.openapi({
      description: "Bytes read at targets to compare or to verify",
    }),
    replicaOverview: orNull(Overview),
  })
  .openapi("Record");

export const RecordOfTask = z
  .object({
    replicaObjectType: z.enum(REPLICA_OBJECT_TYPES),
    replicaType: z.enum(REPLICA_TYPES),
    record: RecordInfo,
  })
  .openapi("RecordOfTask");

const Parts = z
  .object({ total: whole, success: whole, skip: whole, failed: whole })
  .openapi("Parts");

const Progress = z
  .object({
    success: whole.openapi({ description: "Parts: blobs, files and manifests" }),
    skip: whole,
    failed: whole,
    totalSize: whole.openapi({ description: "Bytes" }),
    conflict: whole,
    fileSuccess: whole,
    fileFailed: whole,
    blob: Parts,
    node: Parts,
    version: orNull(Parts).openapi({ description: "null for files" }),
  })
  .openapi("Progress");

const ALWAYS_NULL =
  "Always null for images, which are decided by digest, and at another instance, which decides itself";
const COMPARED =
  "What showed that the target has the same content; READ also where reading showed other content. " +
  `null: neither, or the target has none. ${ALWAYS_NULL}`;
const VERIFIED = `How the write was verified at the target. null: no write was verified. ${ALWAYS_NULL}`;

export const RecordDetail = z
  .object({
    id: z.string(),
    recordId,
    localCluster: z.string(),
    remoteCluster: z.string().nullable(),
    localRepoName: z.string().nullable(),
    repoType: z.enum(REPOSITORY_TYPES).nullable(),
    packageConstraint: z
      .object({ packageKey: z.string(), versions: z.array(z.string()).nullable() })
      .nullable(),
    pathConstraint: z.object({ path: z.string() }).nullable(),
    artifactName: z
      .string()
      .openapi({ description: "Full path of a file or name of a package" }),
    version: z.string().nullable(),
    conflictStrategy: z
      .string()
      .nullable()
      .openapi({ description: "The strategy that was applied to a conflict" }),
    size: whole.nullable(),
    sha256: z.string().nullable(),
    digest: z.string().nullable(),
    status: z.enum(EXECUTION_STATUSES),
    progress: Progress,
    startTime: time,
    endTime: time.nullable(),
    errorReason: z
      .string()
      .nullable()
      .openapi({ description: "While RUNNING: why it will be tried again" }),
    compared: z.enum(COMPARED_BY).nullable().openapi({ description: COMPARED }),
    verified: z.enum(VERIFIED_BY).nullable().openapi({ description: VERIFIED }),
    note: z.string().nullable().openapi({
      description:
        "How the target differs from the source although it succeeded, in words",
    }),
    executeType: z.enum(["FULL", "PARTIAL"]).nullable(),
  })
  .openapi("RecordDetail");

export function toRecord(
  record: RecordView,
  zone: string,
  waitingFor: string | null,
): z.output<typeof RecordInfo> {
  const {
    id,
    taskKey,
    workflowId,
    status,
    startTime,
    endTime,
    errorReason,
    problem,
    replicatedBytes,
    totalBytes,
    bytesRead,
    overview,
  } = record;
  return {
    id,
    taskKey,
    workflowId,
    status,
    startTime: formatTime(startTime, zone),
    endTime: endTime === null ? null : formatTime(endTime, zone),
    errorReason: status === "SUCCESS" ? null : errorReason,
    problem,
    waitingFor,
    replicatedBytes,
    totalBytes,
    bytesRead,
    replicaOverview: overview,
  };
}

/**
 * Builds the id of a detail, 24 hex digits: the first 8 of the record's id, then the number of the
 * row.
 */
const detailId = (recordId: string, row: number) =>
  recordId.slice(0, 8) + row.toString(16).padStart(16, "0");

const parts = (success: number, skip: number, failed: number) => ({
  total: success + skip + failed,
  success,
  skip,
  failed,
});

/**
 * Returns a function that turns a detail's row into its answer, with the object's and cluster's
 * facts from the record's snapshot.
 */
export function detailWriter(
  { objects, clusters, localCluster }: RunSnapshot,
  zone: string,
) {
  const clusterNames = new Map(clusters.map(({ id, name }) => [id, name]));
  return (row: DetailRow): z.output<typeof RecordDetail> => {
    const object = objects[row.object];
    const isFile = row.artifactName.startsWith("/");
    const packageConstraint =
      (!isFile &&
        object &&
        packageOf(row.artifactName, object.repoType, object.packageConstraints)) ||
      null;
    const pathConstraint =
      (isFile && pathOf(row.artifactName, object?.pathConstraints ?? [])) || null;
    const constrained =
      (object?.packageConstraints?.length ?? 0) + (object?.pathConstraints?.length ?? 0) >
      0;
    return {
      id: detailId(row.recordId, row.id),
      recordId: row.recordId,
      localCluster,
      remoteCluster: clusterNames.get(row.clusterId) ?? null,
      localRepoName: object?.localRepoName ?? null,
      repoType: object?.repoType ?? null,
      packageConstraint,
      pathConstraint,
      artifactName: row.artifactName,
      version: row.version === "" ? null : row.version,
      conflictStrategy: row.conflictStrategy,
      size: row.size,
      sha256: row.digest?.startsWith("sha256:")
        ? row.digest.slice("sha256:".length)
        : null,
      digest: row.digest,
      status: row.status,
      progress: progressOf(row, isFile),
      startTime: formatTime(row.startTime, zone),
      endTime: row.endTime === null ? null : formatTime(row.endTime, zone),
      errorReason: row.errorReason,
      compared: row.compared,
      verified: row.verified,
      note: row.note,
      executeType: object ? (constrained ? "PARTIAL" : "FULL") : null,
    };
  };
}

function progressOf(row: DetailRow, isFile: boolean): z.output<typeof Progress> {
  const blob = parts(row.blobSuccess, row.blobSkip, row.blobFailed);
  const node = parts(row.nodeSuccess, row.nodeSkip, row.nodeFailed);
  const done = row.status === "SUCCESS";
  return {
    success: blob.success + node.success,
    skip: blob.skip + node.skip,
    failed: blob.failed + node.failed,
    totalSize: row.size ?? 0,
    conflict: Number(row.conflict),
    fileSuccess: node.success,
    fileFailed: node.failed,
    blob,
    node,
    version: isFile
      ? null
      : {
          total: 1,
          success: Number(done && !row.skip),
          skip: Number(done && row.skip),
          failed: Number(row.status === "FAILED"),
        },
  };
}

function packageOf(
  name: string,
  repoType: RunSnapshot["objects"][number]["repoType"],
  constraints: readonly PackageConstraint[] | null,
) {
  const found = constraints?.find(
    ({ packageKey }) =>
      packageKey === packageKeyOf(repoType, name) ||
      parsePackageKey(packageKey)?.name === name,
  );
  return found && { packageKey: found.packageKey, versions: found.versions };
}

const folder = (path: string) => (path === "/" ? "/" : `${path}/`);

function pathOf(name: string, constraints: readonly PathConstraint[]) {
  const found = constraints.find(
    ({ path }) =>
      path === name ||
      name.startsWith(folder(path)) ||
      (path.includes("*") && matchesWildcard(path, name)),
  );
  return found && { path: found.path };
}
