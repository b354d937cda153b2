import {
  type Changes,
  FILES,
  IMAGES,
  MAVEN,
  planned,
  REGISTRY,
  TASK,
  taskBody,
} from "../rigs/api/api-task-fixture.ts";
import { inOrder, type Mistake } from "./row.ts";

type Words = { en: RegExp; zh: RegExp };

const refused = (
  what: string,
  changes: Changes,
  code: number,
  words: Words,
  status = 400,
): Mistake => ({
  what,
  ask: (name) => ({ path: `${TASK}/create`, body: taskBody({ name, ...changes }) }),
  status,
  code,
  ...words,
});

const packages = (...packageConstraints: unknown[]): Changes => ({
  replicaObjectType: "PACKAGE",
  replicaTaskObjects: [{ ...IMAGES, packageConstraints }],
  remoteClusterIds: [REGISTRY],
});
const paths = (...pathConstraints: unknown[]): Changes => ({
  replicaObjectType: "PATH",
  replicaTaskObjects: [{ ...FILES, pathConstraints }],
});

/** Tasks that are refused. */
export const TASK_MISTAKES: readonly Mistake[] = [
  {
    what: "an empty task",
    ask: () => ({ path: `${TASK}/create`, body: {} }),
    status: 400,
    code: 250106,
    en: inOrder(
      /name is missing; localProjectId is missing; replicaObjectType is missing; replicaTaskObjects is missing;/,
      /setting is missing/,
    ),
    zh: /缺少 name；缺少 localProjectId；缺少 replicaObjectType；缺少 replicaTaskObjects；.*缺少 setting/,
  },
  ...(["execute", "stop", "toggle/status"] as const).map((what) => ({
    what: `${what} of a task by its name`,
    ask: () => ({ path: `${TASK}/${what}/task-in-use` }),
    status: 400,
    code: 250310,
    en: /\[task-in-use\] is not found: the task of that name has the key [0-9a-f]{32}: write the key/,
    zh: /该名称的任务的 key 是 [0-9a-f]{32}：请填写 key/,
  })),
  {
    what: "the deletion of a task by its name",
    ask: () => ({ method: "DELETE", path: `${TASK}/delete/task-in-use` }),
    status: 200,
    code: 0,
    en: /no task has the key "task-in-use": .*the task of that name has the key [0-9a-f]{32}/,
    zh: /没有 key 为 "task-in-use" 的任务：.*该名称的任务的 key 是 [0-9a-f]{32}/,
  },
  refused(
    "five wrong values in one body",
    {
      name: 7,
      replicaObjectType: "FOLDER",
      record: "yes",
      setting: { rateLimit: "fast", conflictStrategy: "MERGE" },
    },
    250106,
    {
      en: inOrder(
        /name:/,
        /expected string/,
        /replicaObjectType:/,
        /record:/,
        /setting\.rateLimit:/,
        /setting\.conflictStrategy:/,
        /SKIP/,
      ),
      zh: /name：.*replicaObjectType：.*record：.*setting\.rateLimit：.*setting\.conflictStrategy：.*SKIP/,
    },
  ),
  refused(
    "five broken rules in one body",
    {
      name: "n",
      localProjectId: "nowhere",
      recordReserveDays: 90,
      ...planned("CRON_EXPRESSION", { cronExpression: "0 0 25 * * ?", timeZone: "Mars" }),
      remoteClusterIds: ["0".repeat(24)],
    },
    250105,
    {
      en: inOrder(
        /\[recordReserveDays\]/,
        /1 to 60;/,
        /\[name\]/,
        /2 to 256/,
        /\[timeZone\]/,
        /\[cronExpression\]/,
        /hour/,
        /cluster node \[0{24}\] is not found/,
        /project \[nowhere\] is not found/,
      ),
      zh: inOrder(
        /\[recordReserveDays\]/,
        /请写 1 到 60；/,
        /\[name\]/,
        /\[timeZone\]/,
        /\[cronExpression\]/,
        /集群节点\[0{24}\]不存在/,
        /项目\[nowhere\]不存在/,
      ),
    },
  ),
  refused(
    "two objects that are both wrong",
    {
      replicaTaskObjects: [
        { ...FILES, localRepoName: "none" },
        { ...FILES, repoType: "MAVEN" },
      ],
    },
    251006,
    {
      en: /\[p\/none\] is not found.*p\/files is of type GENERIC, not MAVEN: write the type/,
      zh: /仓库\[p\/none\]不存在.*p\/files 的类型是 GENERIC/,
    },
    404,
  ),
  refused("a path that is a number", paths(7), 250106, {
    en: /pathConstraints\[0\]: .*expected string or object, received number/,
    zh: /pathConstraints\[0\]：应为字符串或对象，实际为数字/,
  }),
  refused("a name that is taken", { name: "task-in-use" }, 250107, {
    en: /\[task-in-use\] already exists/,
    zh: /已存在/,
  }),
  refused("a blank name", { name: " " }, 250104, {
    en: /\[name\] must not be empty/,
    zh: /参数\[name\]不能为空/,
  }),
  refused("a name with a line break", { name: "a\nb" }, 250105, {
    en: /control character: leave that out/,
    zh: /控制字符：请去掉/,
  }),
  refused("no objects", { replicaTaskObjects: [] }, 250104, {
    en: /\[replicaTaskObjects\] must not be empty/,
    zh: /参数\[replicaTaskObjects\]不能为空/,
  }),
  refused(
    "a cluster's name instead of its id",
    { remoteClusterIds: ["shanghai"] },
    250306,
    {
      en: /no cluster has the id "shanghai"; the cluster of that name has the id 1{24}: write the id/,
      zh: /没有 ID 为 "shanghai" 的集群；使用该名称的集群的 ID 是 1{24}：请写 ID/,
    },
  ),
  refused("an unknown cluster", { remoteClusterIds: ["f".repeat(24)] }, 250306, {
    en: /no cluster has the id "f{24}": GET \/replication\/api\/cluster\/list/,
    zh: /没有 ID 为 "f{24}" 的集群：GET \/replication\/api\/cluster\/list/,
  }),
  refused(
    "a PACKAGE task without packages",
    { replicaObjectType: "PACKAGE", replicaTaskObjects: [IMAGES] },
    250103,
    { en: /\[packageConstraints\] is missing/, zh: /参数\[packageConstraints\]缺失/ },
  ),
  refused("a PATH task with an empty list of paths", paths(), 250104, {
    en: /\[pathConstraints\] must not be empty/,
    zh: /参数\[pathConstraints\]不能为空/,
  }),
  refused(
    "a PACKAGE task with two objects",
    { replicaObjectType: "PACKAGE", replicaTaskObjects: [IMAGES, IMAGES] },
    250106,
    { en: /exactly one object, this one has 2/, zh: /只能有一个对象，此任务有 2 个/ },
  ),
  refused(
    "two wrong package keys",
    packages({ packageKey: "npm://a" }, { packageKey: "nginx" }),
    250105,
    {
      en: inOrder(
        /"npm:\/\/a" is not a package of a repository of type DOCKER: write docker:\/\/name or oci:\/\/name/,
        /"nginx"/,
      ),
      zh: /"npm:\/\/a" 不是 DOCKER 仓库的包：请写成 docker:\/\/name 或 oci:\/\/name.*"nginx"/,
    },
  ),
  refused(
    "a tag that cannot be one",
    packages({ packageKey: "docker://a", versions: ["1"], targetVersions: ["-1"] }),
    250105,
    { en: /"-1" is not a valid tag: use up to 128/, zh: /"-1" 不是合法的标签/ },
  ),
  refused(
    "target versions for two versions",
    packages({ packageKey: "docker://a", versions: ["1", "2"], targetVersions: ["3"] }),
    250105,
    { en: /exactly one version in versions/, zh: /versions 必须恰好有一个版本/ },
  ),
  refused('a path with ".."', paths("/a/../b"), 251011, {
    en: /node path \[\/a\/\.\.\/b\] is invalid/,
    zh: /节点路径\[\/a\/\.\.\/b\]无效/,
  }),
  refused("a wildcard in a folder's name", paths("/a*/b"), 251011, {
    en: /\* is allowed in the last segment only/,
    zh: /\* 只能出现在最后一段/,
  }),
  refused(
    "IMMEDIATELY that is not immediate",
    planned("IMMEDIATELY", { executeImmediately: false }),
    250105,
    {
      en: /\[executeImmediately\].*must be true/,
      zh: /\[executeImmediately\].*必须为 true/,
    },
  ),
  refused(
    "a start time that has passed",
    planned("SPECIFIED_TIME", { executeTime: "2020-01-01T00:00:00" }),
    250105,
    {
      en: /\[executeTime\].*already passed: choose one in the future/,
      zh: /\[executeTime\].*该时间已过：请选择将来的时间/,
    },
  ),
  refused(
    "a start time without a time",
    planned("SPECIFIED_TIME", { executeTime: "tomorrow" }),
    250105,
    {
      en: /"tomorrow" is not a date and time/,
      zh: /"tomorrow" 不是日期和时间/,
    },
  ),
  refused("no cron for CRON_EXPRESSION", planned("CRON_EXPRESSION", {}), 250103, {
    en: /\[cronExpression\] is missing/,
    zh: /参数\[cronExpression\]缺失/,
  }),
  refused(
    "a cron without ?",
    planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * *" }),
    250105,
    {
      en: /neither is "\?".*0 0 2 \* \* \?/,
      zh: /\[cronExpression\].*0 0 2 \* \* \?/,
    },
  ),
  refused(
    "an unknown time zone",
    planned("CRON_EXPRESSION", { cronExpression: "0 0 2 * * ?", timeZone: "Peking" }),
    250105,
    {
      en: /\[timeZone\].*IANA name such as Europe\/Berlin/,
      zh: /\[timeZone\].*IANA 时区名称，例如 Europe\/Berlin/,
    },
  ),
  refused(
    "an unknown project",
    { localProjectId: "q" },
    251004,
    { en: /project \[q\] is not found/, zh: /项目\[q\]不存在/ },
    404,
  ),
  refused(
    "packages of a repository of files",
    {
      replicaObjectType: "PACKAGE",
      replicaTaskObjects: [
        { ...FILES, packageConstraints: [{ packageKey: "generic://a" }] },
      ],
    },
    250105,
    {
      en: /p\/files is GENERIC and has no packages: name files with pathConstraints/,
      zh: /p\/files 是 GENERIC 仓库，没有包：请用 pathConstraints 指定文件/,
    },
  ),
  refused(
    "paths of a registry of images",
    {
      replicaObjectType: "PATH",
      replicaTaskObjects: [{ ...IMAGES, pathConstraints: ["/a"] }],
    },
    250105,
    {
      en: /by package, not by path: name packages with packageConstraints/,
      zh: /按包同步，不按路径同步/,
    },
  ),
  refused(
    "REAL_TIME of a linked repository",
    {
      replicaType: "REAL_TIME",
      replicaTaskObjects: [IMAGES],
      remoteClusterIds: [REGISTRY],
    },
    250105,
    {
      en: /REAL_TIME needs a hosted repository and p\/images is linked: use SCHEDULED/,
      zh: /REAL_TIME 需要本地仓库，而 p\/images 是远程仓库/,
    },
  ),
  refused(
    "images under a name with capitals",
    { replicaTaskObjects: [{ ...IMAGES, remoteRepoName: "Images" }] },
    250105,
    {
      en: /p\/Images is not lower-case.*choose remoteProjectId and remoteRepoName/,
      zh: /p\/Images 不是.*请设置 remoteProjectId 和 remoteRepoName/,
    },
  ),
  refused(
    "target versions of Maven packages",
    {
      replicaObjectType: "PACKAGE",
      replicaTaskObjects: [
        {
          ...MAVEN,
          packageConstraints: [
            { packageKey: "gav://g:a", versions: ["1"], targetVersions: ["2"] },
          ],
        },
      ],
    },
    250105,
    {
      en: /only images can get other versions at the target, not MAVEN packages: leave targetVersions out/,
      zh: /只有镜像可以在目标端使用其他版本/,
    },
  ),
  refused(
    'a remote name with ".." and one with %',
    {
      replicaTaskObjects: [{ ...FILES, remoteProjectId: "../p", remoteRepoName: "a%b" }],
    },
    250105,
    {
      en: /\[remoteProjectId\].*\[remoteRepoName\].*without \\ \? # %/,
      zh: /\[remoteProjectId\].*\[remoteRepoName\].*不能含有 \\ \? # %/,
    },
  ),
  {
    what: "a copy of a task that does not exist, under a name that is too short",
    ask: () => ({ path: `${TASK}/copy`, body: { key: "none", name: "n" } }),
    status: 400,
    code: 250310,
    en: /replica task \[none\] is not found/,
    zh: /同步任务\[none\]不存在/,
  },
  {
    what: "a change of a task that does not exist",
    ask: (name) => ({
      path: `${TASK}/update`,
      body: { ...taskBody({ name }), key: "none" },
    }),
    status: 400,
    code: 250310,
    en: /replica task \[none\] is not found/,
    zh: /同步任务\[none\]不存在/,
  },
  {
    what: "the execution of a task that does not exist",
    ask: () => ({ path: `${TASK}/execute/none` }),
    status: 400,
    code: 250310,
    en: /replica task \[none\] is not found/,
    zh: /同步任务\[none\]不存在/,
  },
];
