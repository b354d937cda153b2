import { CronError } from "./cron/expression.ts";
import { nextTimes } from "./cron/next.ts";
import { checkDayFields } from "./cron/day-fields.ts";
import { parseCron } from "./cron/parse.ts";
import { packageKeyProblem } from "./package-key.ts";
import { parsePath, PathError } from "./path.ts";
import { isTag } from "./reference.ts";
import { factsOf } from "./repository-types.ts";
import type {
  PackageConstraint,
  PathConstraint,
  TaskObject,
  TaskSetting,
} from "./task.ts";
import { text, type Text } from "./text.ts";
import { isTimeZone, parseTime, TimeError } from "./time.ts";
import type { ReplicaObjectType, ReplicaType } from "./vocabulary.ts";

/** Kinds of broken rules of a task; `content`: the combination of fields, `path`: a path that no file may have. */
export type BrokenRule = "missing" | "empty" | "invalid" | "content" | "path";

/**
 * A task that cannot be saved. `text`: the reason, or what to write instead; null if the rule says
 * everything.
 */
export class TaskRuleError extends Error {
  override readonly name = "TaskRuleError";
  readonly rule: BrokenRule;
  readonly field: string;
  readonly text: Text | null;

  constructor(rule: BrokenRule, field: string, reason: Text | null = null) {
    super(reason?.en ?? "");
    this.rule = rule;
    this.field = field;
    this.text = reason;
  }
}

/**
 * Maximum length of a task's name and of a remote name. A distribution's task may have a longer one, which
 * is composed of `project/repository/name` (294 characters).
 */
const MAX_NAME = 256;
const MAX_LIST = 10_000;
const LAST_YEAR = 2099;

type TaskHead = {
  name: string;
  localProjectId: string;
  replicaTaskObjects: readonly unknown[];
  remoteClusterIds: readonly string[];
  recordReserveDays: number;
};

/** Checks name, lists and retention, in the order in which bk-repo checks them. Throws TaskRuleError. */
export function checkHead(
  {
    name,
    localProjectId,
    replicaTaskObjects,
    remoteClusterIds,
    recordReserveDays,
  }: TaskHead,
  longestName = MAX_NAME,
): void {
  if (name.trim() === "") throw new TaskRuleError("empty", "name");
  if (localProjectId.trim() === "") throw new TaskRuleError("empty", "localProjectId");
  if (replicaTaskObjects.length === 0)
    throw new TaskRuleError("empty", "replicaTaskObjects");
  if (remoteClusterIds.length === 0) throw new TaskRuleError("empty", "remoteClusterIds");
  limitLength(replicaTaskObjects, "replicaTaskObjects");
  limitLength(remoteClusterIds, "remoteClusterIds");
  if (recordReserveDays < 1 || recordReserveDays > 60)
    throw new TaskRuleError(
      "invalid",
      "recordReserveDays",
      text("write 1 to 60", "请写 1 到 60"),
    );
  checkName(name, longestName);
}

export function checkName(name: string, longest = MAX_NAME): void {
  if (name.trim() === "") throw new TaskRuleError("empty", "name");
  if (name.length < 2 || name.length > longest)
    throw new TaskRuleError(
      "invalid",
      "name",
      text(`write 2 to ${longest} characters`, `长度必须为 2 到 ${longest} 个字符`),
    );
  if (/[\p{Cc}\p{Cs}]/u.test(name))
    throw new TaskRuleError(
      "invalid",
      "name",
      text("it has a control character: leave that out", "含有控制字符：请去掉"),
    );
}

/** Checks the objects and returns them with their paths in normal form. Throws TaskRuleError. */
export function checkObjects(
  type: ReplicaObjectType,
  objects: readonly TaskObject[],
): TaskObject[] {
  if (type !== "REPOSITORY" && objects.length !== 1) {
    throw new TaskRuleError(
      "content",
      "replicaTaskObjects",
      text(
        `a ${type} task has exactly one object, this one has ${objects.length}`,
        `${type} 任务只能有一个对象，此任务有 ${objects.length} 个`,
      ),
    );
  }
  return objects.map((object) => {
    if (type === "PACKAGE")
      wanted(
        object.packageConstraints,
        object.pathConstraints,
        "packageConstraints",
        "pathConstraints",
      );
    if (type === "PATH")
      wanted(
        object.pathConstraints,
        object.packageConstraints,
        "pathConstraints",
        "packageConstraints",
      );
    checkRemoteName("remoteProjectId", object.remoteProjectId);
    checkRemoteName("remoteRepoName", object.remoteRepoName);
    return {
      ...object,
      packageConstraints:
        object.packageConstraints && checkPackages(object.packageConstraints, object),
      pathConstraints: object.pathConstraints && checkPaths(object.pathConstraints),
    };
  });
}

/**
 * Checks a remote name, which becomes part of a URL at a registry and a name at an instance. Throws
 * TaskRuleError.
 */
function checkRemoteName(field: string, name: string | null): void {
  const unfit =
    name !== null &&
    (/[\p{Cc}\p{Cs}\\?#%]/u.test(name) ||
      name.length > MAX_NAME ||
      name.split("/").some((part) => part === "." || part === ".."));
  if (unfit)
    throw new TaskRuleError(
      "invalid",
      field,
      text(
        `write at most ${MAX_NAME} characters, without . or .. between slashes, and without \\ ? # %`,
        `最多 ${MAX_NAME} 个字符，斜杠之间不能是 . 或 ..，且不能含有 \\ ? # %`,
      ),
    );
}

function wanted(
  list: readonly unknown[] | null,
  other: readonly unknown[] | null,
  field: string,
  otherField: string,
): void {
  if (list === null) throw new TaskRuleError("missing", field);
  if (list.length === 0) throw new TaskRuleError("empty", field);
  if (other !== null && other.length > 0)
    throw new TaskRuleError(
      "content",
      otherField,
      text(
        `this task has ${field} only: use a REPOSITORY task for both`,
        `此任务只能有 ${field}：两者都需要时请使用 REPOSITORY 任务`,
      ),
    );
}

function checkPackages(
  constraints: readonly PackageConstraint[],
  { repoType }: TaskObject,
): PackageConstraint[] {
  limitLength(constraints, "packageConstraints");
  return constraints.map(({ packageKey, versions, targetVersions = null }) => {
    if (packageKey.trim() === "") throw new TaskRuleError("empty", "packageKey");
    for (const [field, list] of [
      ["versions", versions],
      ["targetVersions", targetVersions],
    ] as const) {
      limitLength(list ?? [], field);
      if (list?.some((version) => version.trim() === ""))
        throw new TaskRuleError("empty", field);
    }
    const problem = packageKeyProblem(packageKey, repoType);
    if (problem !== null) throw new TaskRuleError("invalid", "packageKey", problem);
    const untaggable = factsOf(repoType).retag
      ? targetVersions?.find((tag) => !isTag(tag))
      : undefined;
    if (untaggable !== undefined)
      throw new TaskRuleError("invalid", "targetVersions", notATag(untaggable));
    return { packageKey, versions, targetVersions };
  });
}

function notATag(version: string): Text {
  const shown = JSON.stringify(version.slice(0, 140));
  return text(
    `${shown} is not a valid tag: use up to 128 letters, digits, . _ or -, without . or - at the beginning`,
    `${shown} 不是合法的标签：最多 128 个字母、数字、. _ 或 -，且不能以 . 或 - 开头`,
  );
}

function checkPaths(constraints: readonly PathConstraint[]): PathConstraint[] {
  limitLength(constraints, "pathConstraints");
  return constraints.map(({ path }) => {
    if (path.trim() === "") throw new TaskRuleError("empty", "path");
    return { path: normalPath(path) };
  });
}

function normalPath(path: string): string {
  try {
    const normal = parsePath(path, { folder: true });
    if (normal.slice(0, normal.lastIndexOf("/")).includes("*"))
      throw new PathError(
        text("* is allowed in the last segment only", "* 只能出现在最后一段"),
      );
    return normal;
  } catch (error) {
    if (error instanceof PathError)
      throw new TaskRuleError("path", path.slice(0, 100), error.text);
    throw error;
  }
}

function limitLength(list: readonly unknown[], field: string): void {
  if (list.length > MAX_LIST)
    throw new TaskRuleError(
      "invalid",
      field,
      text(
        `it has ${list.length} entries, at most ${MAX_LIST} are allowed`,
        `有 ${list.length} 项，最多允许 ${MAX_LIST} 项`,
      ),
    );
}

/**
 * Returns when the task's schedule starts the next run (epoch ms, as `now`); null: the task has no
 * schedule (it is executed by hand, starts immediately or follows the uploads), or its last start time has
 * passed. Throws CronError, TimeError or RangeError for an `executionPlan` of the task that `checkPlan`
 * refuses.
 */
export function nextExecution(
  setting: TaskSetting,
  replicaType: ReplicaType,
  zone: string,
  now: number,
): number | null {
  const { executeTime, cronExpression, timeZone } = setting.executionPlan;
  const inZone = timeZone ?? zone;
  if (replicaType !== "SCHEDULED") return null;
  if (setting.executionStrategy === "SPECIFIED_TIME" && executeTime !== null) {
    const at = parseTime(executeTime, inZone).getTime();
    return at > now ? at : null;
  }
  if (setting.executionStrategy === "CRON_EXPRESSION" && cronExpression !== null) {
    return (
      nextTimes(parseCron(cronExpression), inZone, new Date(now), 1)[0]?.getTime() ?? null
    );
  }
  return null;
}

/**
 * Checks the execution plan. `known`: the saved setting; a start time equal to the saved one may have
 * passed since, and the day fields of an equal cron expression are not checked again. Throws TaskRuleError.
 */
export function checkPlan(
  setting: TaskSetting,
  zone: string,
  now: number,
  known: TaskSetting | null = null,
): void {
  const { executionStrategy, executionPlan } = setting;
  const { timeZone } = executionPlan;
  if (timeZone !== null && !isTimeZone(timeZone))
    throw new TaskRuleError(
      "invalid",
      "timeZone",
      text(
        "write an IANA name such as Europe/Berlin",
        "请写 IANA 时区名称，例如 Europe/Berlin",
      ),
    );
  if (executionStrategy === "IMMEDIATELY" && !executionPlan.executeImmediately) {
    throw new TaskRuleError(
      "invalid",
      "executeImmediately",
      text(
        "it must be true with executionStrategy IMMEDIATELY",
        "executionStrategy 为 IMMEDIATELY 时必须为 true",
      ),
    );
  }
  if (executionStrategy === "SPECIFIED_TIME")
    checkTime(executionPlan.executeTime, timeZone ?? zone, now, known);
  if (executionStrategy === "CRON_EXPRESSION")
    checkCron(executionPlan.cronExpression, timeZone ?? zone, now, known);
}

function checkTime(
  executeTime: string | null,
  zone: string,
  now: number,
  known: TaskSetting | null,
): void {
  if (executeTime === null) throw new TaskRuleError("missing", "executeTime");
  if (
    known?.executionStrategy === "SPECIFIED_TIME" &&
    known.executionPlan.executeTime === executeTime
  )
    return;
  try {
    const time = parseTime(executeTime, zone);
    if (time.getTime() <= now)
      throw new TimeError(
        text(
          "the time has already passed: choose one in the future",
          "该时间已过：请选择将来的时间",
        ),
      );
    if (time.getUTCFullYear() > LAST_YEAR)
      throw new TimeError(
        text(
          `the time is after the year ${LAST_YEAR}, the last that a schedule can have`,
          `该时间晚于 ${LAST_YEAR} 年，即定时计划允许的最后一年`,
        ),
      );
  } catch (error) {
    if (error instanceof TimeError)
      throw new TaskRuleError("invalid", "executeTime", error.text);
    throw error;
  }
}

function checkCron(
  cronExpression: string | null,
  zone: string,
  now: number,
  known: TaskSetting | null,
): void {
  if (cronExpression === null) throw new TaskRuleError("missing", "cronExpression");
  if (cronExpression.trim() === "") throw new TaskRuleError("empty", "cronExpression");
  try {
    const cron = parseCron(cronExpression);
    if (known?.executionPlan.cronExpression !== cronExpression)
      checkDayFields(cronExpression);
    if (nextTimes(cron, zone, new Date(now), 1).length === 0)
      throw new CronError(
        null,
        text(
          "it never fires again: name a time in the future",
          "不会再次触发：请指定将来的时间",
        ),
      );
  } catch (error) {
    if (error instanceof CronError)
      throw new TaskRuleError("invalid", "cronExpression", error.text);
    throw error;
  }
}

/** Infers the object type, which older request bodies leave out, from the constraints of a single object. */
export function inferObjectType(objects: readonly TaskObject[]): ReplicaObjectType {
  const [first] = objects;
  if (first === undefined || objects.length !== 1) return "REPOSITORY";
  const packages = (first.packageConstraints ?? []).length > 0;
  const paths = (first.pathConstraints ?? []).length > 0;
  return packages === paths ? "REPOSITORY" : packages ? "PACKAGE" : "PATH";
}
