import { factsOf, isImageType } from "../repository-types.ts";
import { SETTING_DEFAULTS, type TaskSetting } from "../task.ts";
import { text, type Text } from "../text.ts";
import { hasOffset } from "../time.ts";
import type { ClusterType, ReplicaType, RepositoryType } from "../vocabulary.ts";
import { isGiven, type Rule, STORED, unused } from "./rules.ts";

type GivenTask = {
  replicaType: ReplicaType;
  setting: TaskSetting;
  repoTypes: readonly RepositoryType[];
  clusterTypes: readonly ClusterType[];
};

const isScheduled = ({ replicaType }: GivenTask): boolean => replicaType === "SCHEDULED";
const hasRegistry = ({ clusterTypes }: GivenTask): boolean =>
  clusterTypes.includes("REMOTE");
const hasInstance = ({ clusterTypes }: GivenTask): boolean =>
  clusterTypes.some((type) => type !== "REMOTE");
/** Whether contents may be compared and verified in another way than by their digests. */
const isCompared = (given: GivenTask): boolean =>
  hasRegistry(given) && given.repoTypes.some((type) => !isImageType(type));

const NOT_SCHEDULED = text(
  "REAL_TIME follows the uploads, RUN_ONCE waits for execute; a plan needs replicaType SCHEDULED",
  "REAL_TIME 跟随上传，RUN_ONCE 等待执行；执行计划需要 replicaType 为 SCHEDULED",
);
const ONLY_CRON = text(
  "executionStrategy decides; it must be CRON_EXPRESSION for a cron",
  "由 executionStrategy 决定；使用 cron 时必须为 CRON_EXPRESSION",
);
const ONLY_TIME = text(
  "executionStrategy decides; it must be SPECIFIED_TIME for a start time",
  "由 executionStrategy 决定；使用开始时间时必须为 SPECIFIED_TIME",
);
const NO_LOCAL_TIME = text(
  "only a cron, and a start time without an offset, are read in a time zone",
  "只有 cron 和不带偏移量的开始时间才按时区解释",
);
const BY_DIGEST = text(
  "images, and what is sent to another instance, are compared and verified by their digests",
  "镜像以及发送到其他实例的内容按摘要比较和验证",
);
const PLAN = "setting.executionPlan";
const TASK_RULES: readonly Rule<GivenTask>[] = [
  {
    field: "setting.executionStrategy",
    isUnused: (given) =>
      !isScheduled(given) && given.setting.executionStrategy !== "IMMEDIATELY",
    why: NOT_SCHEDULED,
  },
  {
    field: `${PLAN}.cronExpression`,
    isUnused: (given) =>
      !isScheduled(given) && isGiven(given.setting.executionPlan.cronExpression),
    why: NOT_SCHEDULED,
  },
  {
    field: `${PLAN}.cronExpression`,
    isUnused: (given) =>
      isScheduled(given) &&
      given.setting.executionStrategy !== "CRON_EXPRESSION" &&
      isGiven(given.setting.executionPlan.cronExpression),
    why: ONLY_CRON,
  },
  {
    field: `${PLAN}.executeTime`,
    isUnused: (given) =>
      !isScheduled(given) && isGiven(given.setting.executionPlan.executeTime),
    why: NOT_SCHEDULED,
  },
  {
    field: `${PLAN}.executeTime`,
    isUnused: (given) =>
      isScheduled(given) &&
      given.setting.executionStrategy !== "SPECIFIED_TIME" &&
      isGiven(given.setting.executionPlan.executeTime),
    why: ONLY_TIME,
  },
  {
    field: `${PLAN}.timeZone`,
    isUnused: (given) =>
      isGiven(given.setting.executionPlan.timeZone) && !readsLocalTime(given),
    why: NO_LOCAL_TIME,
  },
  {
    field: "setting.storageConsistencyCheck",
    isUnused: ({ setting }) => setting.storageConsistencyCheck,
    why: STORED,
  },
  {
    field: "setting.automaticCreateRemoteRepo",
    isUnused: (given) => !given.setting.automaticCreateRemoteRepo && !hasInstance(given),
    why: text(
      "repositories are created at other instances only, and no cluster of the task is one",
      "只会在其他实例上创建仓库，而此任务的集群都不是实例",
    ),
  },
  {
    field: "setting.compare",
    isUnused: (given) =>
      given.setting.compare !== SETTING_DEFAULTS.compare && !isCompared(given),
    why: BY_DIGEST,
  },
  {
    field: "setting.compareReadLimit",
    isUnused: (given) => isOwnLimit(given) && !isCompared(given),
    why: BY_DIGEST,
  },
  {
    field: "setting.compareReadLimit",
    isUnused: (given) =>
      isOwnLimit(given) && isCompared(given) && given.setting.compare !== "AUTO",
    why: text("it limits compare AUTO only", "它只限制 compare 为 AUTO 的情况"),
  },
  {
    field: "setting.verification",
    isUnused: (given) =>
      given.setting.verification !== SETTING_DEFAULTS.verification && !isCompared(given),
    why: BY_DIGEST,
  },
  {
    field: "setting.conflictStrategy",
    isUnused: (given) =>
      given.setting.conflictStrategy === "OVERWRITE" &&
      given.repoTypes.length > 0 &&
      given.repoTypes.every((type) => factsOf(type).immutable) &&
      !hasInstance(given),
    why: text(
      "registries of this type never replace a version; a version that differs fails",
      "此类外部仓库从不替换已有版本；内容不同的版本会失败",
    ),
  },
];

const isOwnLimit = ({ setting }: GivenTask): boolean =>
  setting.compareReadLimit !== SETTING_DEFAULTS.compareReadLimit;

function readsLocalTime(given: GivenTask): boolean {
  const { executionStrategy, executionPlan } = given.setting;
  if (!isScheduled(given)) return false;
  if (executionStrategy === "CRON_EXPRESSION") return true;
  const { executeTime } = executionPlan;
  return (
    executionStrategy === "SPECIFIED_TIME" &&
    executeTime !== null &&
    !hasOffset(executeTime)
  );
}

/** Says which settings of a task that is saved will not be used. */
export const unusedOfTask = (given: GivenTask, at = ""): Text[] =>
  unused(TASK_RULES, given, at);
