import { packageKeyProblem } from "./package-key.ts";
import { parsePath, PathError } from "./path.ts";
import { isTag } from "./reference.ts";
import { factsOf } from "./repository-types.ts";
import { checkAll, everyOf, RequestError } from "./request-error.ts";
import type { PackageConstraint, PathConstraint, TaskObject } from "./task.ts";
import { text, type Text } from "./text.ts";
import type { ReplicaObjectType, RepositoryType } from "./vocabulary.ts";

/** Kinds of broken rules of a task; `content`: the combination of fields, `path`: a path that no file may have. */
export type BrokenRule = "missing" | "empty" | "invalid" | "content" | "path";

/**
 * A task that cannot be saved. `text`: the reason, or what to write instead; null if the rule says
 * everything.
 */
export class TaskRuleError extends RequestError {
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

type TaskHead = {
  name: string;
  localProjectId: string;
  replicaTaskObjects: readonly unknown[];
  /** Null: they are refused already. */
  remoteClusterIds: readonly string[] | null;
  recordReserveDays: number;
};

/**
 * Checks name, lists and retention, in the order in which bk-repo checks them. Throws every broken rule, like all
 * checks of this file: a TaskRuleError, or several as RequestErrors.
 */
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
  checkAll(
    () => notBlank(name, "name"),
    () => notBlank(localProjectId, "localProjectId"),
    () => notEmpty(replicaTaskObjects, "replicaTaskObjects"),
    () => notEmpty(remoteClusterIds, "remoteClusterIds"),
    () => checkRetention(recordReserveDays),
    () => name.trim() !== "" && checkName(name, longestName),
  );
}

/** Throws if a list of a task is too long. Call it before checks that look at each entry. */
export function checkLengths({
  replicaTaskObjects,
  remoteClusterIds,
}: Pick<TaskHead, "replicaTaskObjects" | "remoteClusterIds">): void {
  limitLength(replicaTaskObjects, "replicaTaskObjects");
  limitLength(remoteClusterIds ?? [], "remoteClusterIds");
}

function notBlank(value: string, field: string): void {
  if (value.trim() === "") throw new TaskRuleError("empty", field);
}

function notEmpty(list: readonly unknown[] | null, field: string): void {
  if (list?.length === 0) throw new TaskRuleError("empty", field);
}

function checkRetention(days: number): void {
  if (days < 1 || days > 60)
    throw new TaskRuleError(
      "invalid",
      "recordReserveDays",
      text("write 1 to 60", "请写 1 到 60"),
    );
}

export function checkName(name: string, longest = MAX_NAME): void {
  notBlank(name, "name");
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

/** Checks the objects and returns them with their paths in normal form. */
export function checkObjects(
  type: ReplicaObjectType,
  objects: readonly TaskObject[],
): TaskObject[] {
  if (type !== "REPOSITORY" && objects.length > 1) {
    throw new TaskRuleError(
      "content",
      "replicaTaskObjects",
      text(
        `a ${type} task has exactly one object, this one has ${objects.length}`,
        `${type} 任务只能有一个对象，此任务有 ${objects.length} 个`,
      ),
    );
  }
  return everyOf(objects, (object) => {
    const { packageConstraints, pathConstraints } = object;
    let packages: PackageConstraint[] | null = null;
    let paths: PathConstraint[] | null = null;
    checkAll(
      () =>
        type === "PACKAGE" &&
        wanted(
          packageConstraints,
          pathConstraints,
          "packageConstraints",
          "pathConstraints",
        ),
      () =>
        type === "PATH" &&
        wanted(
          pathConstraints,
          packageConstraints,
          "pathConstraints",
          "packageConstraints",
        ),
      () => checkRemoteName("remoteProjectId", object.remoteProjectId),
      () => checkRemoteName("remoteRepoName", object.remoteRepoName),
      () =>
        void (packages = packageConstraints && checkPackages(packageConstraints, object)),
      () => void (paths = pathConstraints && checkPaths(pathConstraints)),
    );
    return { ...object, packageConstraints: packages, pathConstraints: paths };
  });
}

/** Checks a remote name, which becomes part of a URL at a registry and a name at an instance. */
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
  return everyOf(constraints, ({ packageKey, versions, targetVersions = null }) => {
    checkAll(
      () => checkKey(packageKey, repoType),
      () => checkVersions(versions, "versions"),
      () => checkVersions(targetVersions, "targetVersions"),
      () => checkTags(targetVersions, repoType),
    );
    return { packageKey, versions, targetVersions };
  });
}

function checkKey(packageKey: string, repoType: RepositoryType): void {
  notBlank(packageKey, "packageKey");
  const problem = packageKeyProblem(packageKey, repoType);
  if (problem !== null) throw new TaskRuleError("invalid", "packageKey", problem);
}

function checkVersions(list: readonly string[] | null, field: string): void {
  limitLength(list ?? [], field);
  if (list?.some((version) => version.trim() === ""))
    throw new TaskRuleError("empty", field);
}

function checkTags(tags: readonly string[] | null, repoType: RepositoryType): void {
  if (!factsOf(repoType).retag) return;
  const unfit = tags?.find((tag) => tag.trim() !== "" && !isTag(tag));
  if (unfit !== undefined)
    throw new TaskRuleError("invalid", "targetVersions", notATag(unfit));
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
  return everyOf(constraints, ({ path }) => {
    notBlank(path, "path");
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

/** Infers the object type, which older request bodies leave out, from the constraints of a single object. */
export function inferObjectType(objects: readonly TaskObject[]): ReplicaObjectType {
  const [first] = objects;
  if (first === undefined || objects.length !== 1) return "REPOSITORY";
  const packages = (first.packageConstraints ?? []).length > 0;
  const paths = (first.pathConstraints ?? []).length > 0;
  return packages === paths ? "REPOSITORY" : packages ? "PACKAGE" : "PATH";
}
