import { z } from "@hono/zod-openapi";
import type { TaskView } from "../../db/tasks/tasks.ts";
import { taskStatus } from "../../domain/task-status.ts";
import {
  SETTING_DEFAULTS,
  type TaskObject,
  type TaskSetting,
} from "../../domain/task.ts";
import { formatTime } from "../../domain/time.ts";
import {
  COMPARE_MODES,
  CONFLICT_STRATEGIES,
  ERROR_STRATEGIES,
  EXECUTION_STATUSES,
  EXECUTION_STRATEGIES,
  REPLICA_OBJECT_TYPES,
  REPLICA_TYPES,
  REPOSITORY_TYPES,
  TASK_STATUSES,
  VERIFICATIONS,
} from "../../domain/vocabulary.ts";
import { TASK_EXAMPLE } from "../docs/examples.ts";
import { optional, orDefault, time, whole } from "../http/fields.ts";

const Versions = z.array(z.string());

export const PackageConstraintIn = z
  .object({
    packageKey: z.string().openapi({ example: "docker://library/nginx" }),
    versions: optional(Versions).openapi({
      description: "null, absent or []: all versions",
    }),
    targetVersions: optional(Versions).openapi({
      description: "Images only: the tags that the one version gets at the target",
    }),
  })
  .openapi("PackageConstraint");

export const PathConstraintIn = z
  .union([z.string().transform((path) => ({ path })), z.object({ path: z.string() })])
  .openapi("PathConstraint", {
    description:
      "A file, a folder with all below it, or `*` in the last segment; a plain string is accepted as well",
  });

const TaskObjectIn = z
  .object({
    localRepoName: z.string(),
    repoType: z.enum(REPOSITORY_TYPES),
    remoteProjectId: optional(z.string()),
    remoteRepoName: optional(z.string()),
    packageConstraints: optional(z.array(PackageConstraintIn)),
    pathConstraints: optional(z.array(PathConstraintIn)),
  })
  .openapi("TaskObject");

const ExecutionPlanIn = z
  .object({
    executeImmediately: orDefault(z.boolean(), true).openapi({
      description: "Stored without effect: executionStrategy decides",
    }),
    executeTime: optional(z.string()).openapi({
      description: "ISO, with or without offset",
      example: "2030-03-16T12:00:00",
    }),
    cronExpression: optional(z.string()).openapi({
      description: "Quartz (6 or 7 fields) or Unix (5 fields)",
      example: "0 0 2 * * ?",
    }),
    timeZone: optional(z.string()).openapi({
      description: "IANA name; absent = the configured zone",
      example: "Asia/Shanghai",
    }),
  })
  .openapi("ExecutionPlan");
const AT_ONCE = {
  executeImmediately: true,
  executeTime: null,
  cronExpression: null,
  timeZone: null,
};

const COMPARE =
  "How contents without a common digest are compared. AUTO: equal sizes are equal contents where the target is not " +
  "older than the source, else by reading them; READ: by reading them; SIZE: by size alone";
const COMPARE_READ_LIMIT =
  "Most bytes that an execution reads at one cluster to compare under AUTO; contents beyond that count as different";
const VERIFICATION =
  "How a written content is verified at the target. DIGEST: by its digest, or its size where there is no digest; " +
  "READ_BACK: by reading its bytes again";

export const SettingIn = z
  .object({
    rateLimit: orDefault(whole, 0).openapi({
      description: "Body bytes per second to one cluster; 0 or less = no limit",
    }),
    includeMetadata: orDefault(z.boolean(), true),
    conflictStrategy: orDefault(z.enum(CONFLICT_STRATEGIES), "SKIP").openapi({
      description:
        "For an artifact that the target has with other content. SKIP: the target's content stays; OVERWRITE: it is " +
        "replaced; FAST_FAIL: the artifact fails and nothing more is sent to that cluster",
    }),
    errorStrategy: orDefault(z.enum(ERROR_STRATEGIES), "CONTINUE").openapi({
      description:
        "CONTINUE: the other artifacts are sent; FAST_FAIL: nothing more is sent to that cluster",
    }),
    executionStrategy: optional(z.enum(EXECUTION_STRATEGIES)).openapi({
      description:
        "Absent = inferred from the plan: CRON_EXPRESSION, SPECIFIED_TIME, else IMMEDIATELY",
    }),
    executionPlan: orDefault(ExecutionPlanIn, AT_ONCE),
    storageConsistencyCheck: orDefault(z.boolean(), false).openapi({
      description: "Stored without effect: every transfer is verified",
    }),
    automaticCreateRemoteRepo: orDefault(z.boolean(), true).openapi({
      description: "Whether a repository that another instance lacks is created there",
    }),
    compare: orDefault(z.enum(COMPARE_MODES), SETTING_DEFAULTS.compare).openapi({
      description: COMPARE,
    }),
    compareReadLimit: orDefault(whole.min(0), SETTING_DEFAULTS.compareReadLimit).openapi({
      description: COMPARE_READ_LIMIT,
    }),
    verification: orDefault(z.enum(VERIFICATIONS), SETTING_DEFAULTS.verification).openapi(
      {
        description: VERIFICATION,
      },
    ),
  })
  .openapi("TaskSetting");

/** Returns the setting as it is saved: adds the strategy, which older bodies leave out. */
export function toSetting({
  executionStrategy,
  ...rest
}: z.output<typeof SettingIn>): TaskSetting {
  const { cronExpression, executeTime } = rest.executionPlan;
  const inferred = cronExpression?.trim()
    ? "CRON_EXPRESSION"
    : executeTime
      ? "SPECIFIED_TIME"
      : "IMMEDIATELY";
  return { ...rest, executionStrategy: executionStrategy ?? inferred };
}

const head = {
  name: z.string().openapi({ description: "2 to 256 characters, unique" }),
  localProjectId: z.string(),
  replicaObjectType: z.enum(REPLICA_OBJECT_TYPES),
  replicaTaskObjects: z.array(TaskObjectIn),
  remoteClusterIds: z.array(z.string()),
  description: optional(z.string()),
  record: orDefault(z.boolean(), true).openapi({
    description: "false: the details of executions are not kept",
  }),
  recordReserveDays: orDefault(whole, 30).openapi({ description: "1 to 60" }),
};

export const TaskCreate = z
  .object({
    ...head,
    replicaType: orDefault(z.enum(REPLICA_TYPES), "SCHEDULED"),
    setting: SettingIn,
    enabled: orDefault(z.boolean(), true),
  })
  .openapi("TaskCreate", { example: TASK_EXAMPLE });
export type TaskCreate = z.output<typeof TaskCreate>;

/**
 * The older form of the body that creates a task: the object type may be absent and is then
 * inferred.
 */
export const OlderTaskCreate = z
  .object({
    ...TaskCreate.shape,
    replicaObjectType: optional(z.enum(REPLICA_OBJECT_TYPES)),
  })
  .openapi("OlderTaskCreate", {
    example: { ...TASK_EXAMPLE, replicaObjectType: undefined },
  });

export const TaskUpdate = z
  .object({
    key: z.string(),
    ...head,
    setting: optional(SettingIn).openapi({ description: "Absent = unchanged" }),
  })
  .openapi("TaskUpdate");
export type TaskUpdate = z.output<typeof TaskUpdate>;

export const TaskCopy = z
  .object({ name: z.string(), key: z.string(), description: optional(z.string()) })
  .openapi("TaskCopy");

export const Setting = z
  .object({
    rateLimit: z.number().int(),
    includeMetadata: z.boolean(),
    conflictStrategy: z.enum(CONFLICT_STRATEGIES),
    errorStrategy: z.enum(ERROR_STRATEGIES),
    executionStrategy: z.enum(EXECUTION_STRATEGIES),
    executionPlan: z.object({
      executeImmediately: z.boolean(),
      executeTime: z.string().nullable(),
      cronExpression: z.string().nullable(),
      timeZone: z.string().nullable(),
    }),
    storageConsistencyCheck: z.boolean(),
    automaticCreateRemoteRepo: z.boolean(),
    compare: z.enum(COMPARE_MODES),
    compareReadLimit: z.number().int(),
    verification: z.enum(VERIFICATIONS),
  })
  .openapi("Setting");

export const TaskInfo = z
  .object({
    id: z.string(),
    key: z.string(),
    name: z.string(),
    projectId: z.string(),
    replicaObjectType: z.enum(REPLICA_OBJECT_TYPES),
    replicaType: z.enum(REPLICA_TYPES),
    setting: Setting,
    remoteClusters: z.array(z.object({ id: z.string(), name: z.string() })),
    description: z.string().nullable(),
    status: z.enum(TASK_STATUSES),
    replicatedBytes: z.number().int(),
    totalBytes: z.number().int(),
    lastExecutionStatus: z.enum(EXECUTION_STATUSES).nullable(),
    lastExecutionTime: time.nullable(),
    nextExecutionTime: time.nullable(),
    executionTimes: z.number().int(),
    skippedTimes: z
      .number()
      .int()
      .openapi({ description: "Firings that were skipped because the task was running" }),
    lastSkippedTime: time.nullable(),
    enabled: z.boolean(),
    record: z.boolean(),
    recordReserveDays: z.number().int(),
    createdBy: z.string(),
    createdDate: time,
    lastModifiedBy: z.string(),
    lastModifiedDate: time,
  })
  .openapi("TaskInfo");

export const TaskDetail = z
  .object({
    task: TaskInfo,
    objects: z.array(
      z.object({
        localRepoName: z.string(),
        remoteProjectId: z.string().nullable(),
        remoteRepoName: z.string().nullable(),
        repoType: z.enum(REPOSITORY_TYPES),
        packageConstraints: z
          .array(
            z.object({
              packageKey: z.string(),
              versions: Versions.nullable(),
              targetVersions: Versions.nullable(),
            }),
          )
          .nullable(),
        pathConstraints: z.array(z.object({ path: z.string() })).nullable(),
      }),
    ),
  })
  .openapi("TaskDetail");

export function toTaskInfo(task: TaskView, zone: string): z.output<typeof TaskInfo> {
  const at = (ms: number | null) => (ms === null ? null : formatTime(ms, zone));
  return {
    id: task.id,
    key: task.key,
    name: task.name,
    projectId: task.projectId,
    replicaObjectType: task.replicaObjectType,
    replicaType: task.replicaType,
    setting: task.setting,
    remoteClusters: task.clusters,
    description: task.description,
    status: taskStatus(task),
    replicatedBytes: task.replicatedBytes,
    totalBytes: task.totalBytes,
    lastExecutionStatus: task.lastExecutionStatus,
    lastExecutionTime: at(task.lastExecutionTime),
    nextExecutionTime: at(task.nextExecutionTime),
    executionTimes: task.executionTimes,
    skippedTimes: task.skippedTimes,
    lastSkippedTime: at(task.lastSkippedTime),
    enabled: task.enabled,
    record: task.record,
    recordReserveDays: task.recordReserveDays,
    createdBy: task.createdBy,
    createdDate: formatTime(task.createdDate, zone),
    lastModifiedBy: task.lastModifiedBy,
    lastModifiedDate: formatTime(task.lastModifiedDate, zone),
  };
}

export function toTaskObject(
  object: TaskObject,
): z.output<typeof TaskDetail>["objects"][number] {
  const packageConstraints = object.packageConstraints?.map((constraint) => ({
    ...constraint,
    targetVersions: constraint.targetVersions ?? null,
  }));
  return { ...object, packageConstraints: packageConstraints ?? null };
}
