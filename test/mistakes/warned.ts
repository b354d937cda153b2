import {
  type Changes,
  FILES,
  IMAGES,
  planned,
  REGISTRY,
  TASK,
  taskBody,
} from "../rigs/api/api-task-fixture.ts";
import { inOrder, type Mistake } from "./row.ts";

const CRON = "0 0 2 * * ?";

const saved = (what: string, changes: Changes, en: RegExp, zh: RegExp): Mistake => ({
  what,
  ask: (name) => ({ path: `${TASK}/create`, body: taskBody({ name, ...changes }) }),
  status: 200,
  code: 0,
  en,
  zh,
});
const NPM = {
  replicaTaskObjects: [{ localRepoName: "npm", repoType: "NPM" }],
  remoteClusterIds: [REGISTRY],
};

/** Tasks that are saved and warned of: fields that are unknown, and settings that will not be used. */
export const WARNED_MISTAKES: readonly Mistake[] = [
  saved(
    "replicatype for replicaType",
    { replicatype: "REAL_TIME" },
    /"replicatype" is unknown and was ignored: did you mean "replicaType"\?/,
    /"replicatype" 未知，已被忽略：是否应为 "replicaType"？/,
  ),
  saved(
    "conflictStategy for conflictStrategy",
    { setting: { conflictStategy: "OVERWRITE" } },
    /"setting\.conflictStategy" .*: did you mean "conflictStrategy"\?/,
    /"setting\.conflictStategy" .*是否应为 "conflictStrategy"？/,
  ),
  saved(
    "a cron that is not in the plan",
    { setting: { cronExpression: CRON } },
    /"setting\.cronExpression" .*: its place is "setting\.executionPlan\.cronExpression"/,
    /它的位置是 "setting\.executionPlan\.cronExpression"/,
  ),
  saved(
    "a constraint of an object that is misspelt",
    { replicaTaskObjects: [{ ...FILES, pathConstraint: ["/a"] }] },
    /"replicaTaskObjects\[0\]\.pathConstraint" .*did you mean "pathConstraints"\?/,
    /"replicaTaskObjects\[0\]\.pathConstraint" .*是否应为 "pathConstraints"？/,
  ),
  saved(
    "a field of the original that is not offered",
    { replicaTaskObjects: [{ ...FILES, sourceFilter: ["center"] }] },
    /"replicaTaskObjects\[0\]\.sourceFilter" has no effect: the original API has it/,
    /"replicaTaskObjects\[0\]\.sourceFilter" 不起作用/,
  ),
  saved(
    "REAL_TIME with a cron",
    {
      replicaType: "REAL_TIME",
      ...planned("CRON_EXPRESSION", { cronExpression: CRON }),
    },
    inOrder(
      /"setting\.executionStrategy" will not be used/,
      /"setting\.executionPlan\.cronExpression" will not be used:/,
      /SCHEDULED/,
    ),
    /"setting\.executionStrategy" 不会被使用.*"setting\.executionPlan\.cronExpression" 不会被使用/s,
  ),
  saved(
    "REAL_TIME with a start time",
    {
      replicaType: "REAL_TIME",
      ...planned("SPECIFIED_TIME", { executeTime: "2031-01-01T00:00:00" }),
    },
    /"setting\.executionPlan\.executeTime" will not be used: .*SCHEDULED/,
    /"setting\.executionPlan\.executeTime" 不会被使用/,
  ),
  saved(
    "IMMEDIATELY with a cron",
    planned("IMMEDIATELY", { executeImmediately: true, cronExpression: CRON }),
    /cronExpression" will not be used: .*must be CRON_EXPRESSION/,
    /cronExpression" 不会被使用：.*必须为 CRON_EXPRESSION/,
  ),
  saved(
    "a cron with a start time beside it",
    planned("CRON_EXPRESSION", {
      cronExpression: CRON,
      executeTime: "2031-01-01T00:00:00",
    }),
    /executeTime" will not be used: .*must be SPECIFIED_TIME/,
    /executeTime" 不会被使用：.*必须为 SPECIFIED_TIME/,
  ),
  saved(
    "a time zone beside a time with an offset",
    planned("SPECIFIED_TIME", {
      executeTime: "2031-01-01T00:00:00Z",
      timeZone: "Asia/Tokyo",
    }),
    /timeZone" will not be used: .*without an offset/,
    /timeZone" 不会被使用/,
  ),
  saved(
    "ways to compare and verify what has digests",
    { setting: { compare: "READ", compareReadLimit: 5, verification: "READ_BACK" } },
    /compare" will not be used: .*digests.*compareReadLimit" .*verification" /s,
    /compare" 不会被使用：.*摘要.*compareReadLimit" .*verification" /s,
  ),
  saved(
    "a limit for reading with a comparison by size",
    { ...NPM, setting: { compare: "SIZE", compareReadLimit: 5 } },
    /compareReadLimit" will not be used: it limits compare AUTO only/,
    /compareReadLimit" 不会被使用：它只限制 compare 为 AUTO/,
  ),
  saved(
    "OVERWRITE at a registry that never replaces a version",
    { ...NPM, setting: { conflictStrategy: "OVERWRITE" } },
    /conflictStrategy" will not be used: registries of this type never replace/,
    /conflictStrategy" 不会被使用：此类外部仓库从不替换/,
  ),
  saved(
    "automaticCreateRemoteRepo for a registry",
    {
      replicaTaskObjects: [IMAGES],
      remoteClusterIds: [REGISTRY],
      setting: { automaticCreateRemoteRepo: false },
    },
    /automaticCreateRemoteRepo" will not be used: .*other instances only/,
    /automaticCreateRemoteRepo" 不会被使用/,
  ),
  saved(
    "storageConsistencyCheck",
    { setting: { storageConsistencyCheck: true } },
    /storageConsistencyCheck" will not be used: it is stored and has no effect/,
    /storageConsistencyCheck" 不会被使用：它只被存储，不起作用/,
  ),
];
