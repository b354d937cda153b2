/**
 * The examples in the users' documents. `answer` is the documented answer: every key must be present, with the
 * documented JSON type or null; the values may differ.
 */
export type Example = {
  name: string;
  method: string;
  path: string;
  body?: unknown;
  answer: unknown;
};

const SETTING = {
  rateLimit: 0,
  includeMetadata: true,
  conflictStrategy: "SKIP",
  errorStrategy: "CONTINUE",
  executionStrategy: "IMMEDIATELY",
  executionPlan: { executeImmediately: true },
};
const CLUSTER_IDS = [
  "651095dfe0524ce9b3ab53d13532361c",
  "329fbcda45944fb9ae5c2573acd7bd2a",
];

const MAVEN_OBJECT = {
  localRepoName: "maven-local",
  remoteProjectId: "bkrepo",
  remoteRepoName: "maven-local",
  repoType: "MAVEN",
  packageConstraints: [
    { packageKey: "gav://com.alibaba:fastjson", versions: ["1.2.47", "1.2.48"] },
  ],
  pathConstraints: [],
};

const TASK_INFO = {
  id: "609b573353ccce752bf9b85f",
  key: "784e49c5ba974a1e8ac503a840f65eb5",
  name: "测试分发计划",
  projectId: "bkrepo",
  replicaObjectType: "REPOSITORY",
  replicaType: "SCHEDULED",
  setting: SETTING,
  remoteClusters: [
    { id: CLUSTER_IDS[0], name: "shanghai" },
    { id: CLUSTER_IDS[1], name: "beijing" },
  ],
  description: "for test",
  lastExecutionStatus: "SUCCESS",
  lastExecutionTime: "2020-03-16T12:00:00.000",
  nextExecutionTime: "2020-03-17T12:00:00.000",
  executionTimes: 5,
  enabled: true,
  record: true,
  recordReserveDays: 30,
  createdBy: "system",
  createdDate: "2020-03-16T12:13:03.371",
  lastModifiedBy: "system",
  lastModifiedDate: "2020-03-16T12:13:03.371",
};

const ok = (data: unknown) => ({ code: 0, message: null, data, traceId: null });
const pageOf = (record: unknown) => ({
  pageNumber: 0,
  pageSize: 1,
  totalRecords: 18,
  totalPages: 2,
  records: [record],
});

export const CREATE_BODY = {
  name: "计划",
  localProjectId: "bkrepo",
  replicaObjectType: "REPOSITORY",
  replicaTaskObjects: [MAVEN_OBJECT],
  replicaType: "SCHEDULED",
  setting: SETTING,
  remoteClusterIds: CLUSTER_IDS,
  enabled: true,
  description: "test replica task",
  record: true,
  recordReserveDays: 30,
};

/** `KEY` and `RECORD` in paths and bodies stand for the task and the record that the examples are about. */
export const TASK_EXAMPLES: Example[] = [
  {
    name: "create",
    method: "POST",
    path: "/replication/api/task/create",
    body: CREATE_BODY,
    answer: ok(TASK_INFO),
  },
  {
    name: "info",
    method: "GET",
    path: "/replication/api/task/info/KEY",
    answer: ok(TASK_INFO),
  },
  {
    name: "detail",
    method: "GET",
    path: "/replication/api/task/detail/KEY",
    answer: ok({
      task: TASK_INFO,
      objects: [
        {
          localRepoName: "npm-local",
          remoteProjectId: "bkrepo",
          remoteRepoName: "npm-local",
          repoType: "NPM",
          packageConstraints: [
            { packageKey: "npm://helloworld", versions: ["1.0.0", "1.0.1"] },
          ],
          pathConstraints: [],
        },
      ],
    }),
  },
  {
    name: "page",
    method: "GET",
    path:
      "/replication/api/task/page/bkrepo?name=test&lastExecutionStatus=SUCCESS&enabled=true" +
      "&sortType=CREATE_TIME&pageNumber=0&pageSize=20",
    answer: ok(pageOf(TASK_INFO)),
  },
  {
    name: "toggle",
    method: "POST",
    path: "/replication/api/task/toggle/status/KEY",
    answer: ok(null),
  },
  {
    name: "copy",
    method: "POST",
    path: "/replication/api/task/copy",
    body: { name: "task_copy", key: "KEY", description: "copy replica task" },
    answer: ok(null),
  },
  {
    name: "update",
    method: "POST",
    path: "/replication/api/task/update",
    body: {
      key: "KEY",
      name: "更新后的名称",
      localProjectId: "bkrepo",
      replicaObjectType: "REPOSITORY",
      replicaTaskObjects: [MAVEN_OBJECT],
      remoteClusterIds: CLUSTER_IDS,
      description: "test replica task",
      record: true,
      recordReserveDays: 30,
    },
    answer: ok(null),
  },
  {
    name: "execute",
    method: "POST",
    path: "/replication/api/task/execute/KEY",
    answer: ok(null),
  },
  {
    name: "delete",
    method: "DELETE",
    path: "/replication/api/task/delete/KEY",
    answer: ok(null),
  },
  {
    name: "create, the older way",
    method: "POST",
    path: "/replication//api/task/cluster",
    body: {
      name: "计划",
      localProjectId: "bkrepo",
      replicaTaskObjects: [MAVEN_OBJECT],
      replicaType: "SCHEDULED",
      setting: { ...SETTING, executionStrategy: undefined },
      remoteClusterIds: CLUSTER_IDS,
      enabled: true,
      description: "test replica task",
    },
    answer: ok(null),
  },
  {
    name: "tryConnect",
    method: "POST",
    path: "/replication/api/cluster/tryConnect",
    body: { name: "shanghai" },
    answer: ok(null),
  },
];

const RECORD_INFO = {
  id: "609b573d53ccce752bf9b860",
  taskKey: "651095dfe0524ce9b3ab53d13532361c",
  status: "SUCCESS",
  startTime: "2021-05-12T12:19:08.813",
  endTime: "2021-05-12T12:19:37.967",
  errorReason: null,
};

const NEWER_DETAIL = {
  id: "979b573d53efcd752bf9b762",
  recordId: "609b573d53ccce752bf9b860",
  localCluster: "651095dfe0524ce9b3ab53d13532361c",
  remoteCluster: "SUCCESS",
  localRepoName: "npm-local",
  repoType: "NPM",
  packageConstraint: { packageKey: "npm://helloworld", versions: ["1.1.0", "1.3.0"] },
  pathConstraint: null,
  status: "SUCCESS",
  progress: { success: 10, skip: 0, failed: 0, totalSize: 100 },
  startTime: "2021-05-12T12:19:08.813",
  endTime: "2021-05-12T12:19:37.967",
  errorReason: null,
};

const OLDER_DETAIL = {
  recordId: "609b573d53ccce752bf9b860",
  localCluster: "651095dfe0524ce9b3ab53d13532361c",
  remoteCluster: "SUCCESS",
  status: "SUCCESS",
  progress: {
    blob: { total: 10, success: 10, skip: 0, failed: 0 },
    node: null,
    version: null,
    totalSize: 0,
  },
  startTime: "2021-05-12T12:19:08.813",
  endTime: "2021-05-12T12:19:37.967",
  errorReason: null,
};

const PAGED_DETAIL = {
  ...NEWER_DETAIL,
  packageConstraint: null,
  artifactName: "/bkrepo.op.conf.bak",
  version: null,
  conflictStrategy: "SKIP",
  size: 646,
  sha256: "bcdf4256783b6d9cf3cb7bcd666e59c6e0a5d7e58e45c9469bb29a60a69ffff4",
  progress: { success: 0, skip: 0, failed: 0, totalSize: 0, conflict: 0 },
  errorReason: "",
};

export const RECORD_EXAMPLES: Example[] = [
  {
    name: "record",
    method: "GET",
    path: "/replication/api/task/record/RECORD",
    answer: ok({ replicaObjectType: "REPOSITORY", record: RECORD_INFO }),
  },
  {
    name: "record list",
    method: "GET",
    path: "/replication/api/task/record/list/KEY",
    answer: ok([RECORD_INFO]),
  },
  {
    name: "record page",
    method: "GET",
    path: "/replication/api/task/record/page/KEY?pageNumber=0&pageSize=1",
    answer: ok(pageOf(RECORD_INFO)),
  },
  {
    name: "detail list",
    method: "GET",
    path: "/replication/api/task/record/detail/list/RECORD",
    answer: ok([NEWER_DETAIL]),
  },
  {
    name: "detail page",
    method: "GET",
    path: "/replication/api/task/record/detail/page/RECORD?pageNumber=1&pageSize=20",
    answer: ok({ ...pageOf(PAGED_DETAIL), count: 2, page: 1 }),
  },
  {
    name: "overview",
    method: "GET",
    path: "/replication/api/task/record/overview/RECORD",
    answer: ok({ success: 0, failed: 0, conflict: 0 }),
  },
  {
    name: "overview of old data",
    method: "GET",
    path: "/replication/api/task/record/overview/unknown",
    answer: ok(null),
  },
  // This example is from the older document. It shows an object where the newer one shows a list, and
  // the API answers a list.
  {
    name: "older detail list",
    method: "GET",
    path: "/replication/api/task/record/detail/list/RECORD",
    answer: ok([OLDER_DETAIL]),
  },
  {
    name: "older record page",
    method: "GET",
    path: "/replication/api/task/record/detail/page/KEY?pageNumber=0&pageSize=1",
    answer: ok(pageOf(RECORD_INFO)),
  },
  {
    name: "older detail page",
    method: "GET",
    path:
      "/replication/api/task/record/detail/page/RECORD" +
      "?pageNumber=0&pageSize=1&packageName=&repoName=maven&clusterName=shang",
    answer: ok(pageOf(OLDER_DETAIL)),
  },
];

const DISTRIBUTION = "/replication/api/remote/distribution";
/** The document has placeholders in these places: {registry-host}/{repository}, xxxx and ***. */
const TO_REGISTRY = {
  registry: "127.0.0.1:5000/mirror",
  username: "robot",
  password: "hush-hush",
};
const TO_CLUSTER = {
  clusterId: CLUSTER_IDS[0],
  remoteProjectId: "xxxx",
  remoteRepoName: "xxxx",
};
const DISTRIBUTED = {
  packageConstraints: [],
  pathConstraints: [],
  replicaType: "REAL_TIME",
  setting: SETTING,
  enable: true,
  description: "test replica task",
};

const DISTRIBUTION_INFO = {
  projectId: "bkrepo",
  repoName: "maven-local",
  name: "mirrors",
  registry: "{registry-host}/{repository}",
  certificate: null,
  username: null,
  password: null,
  packageConstraints: null,
  pathConstraints: null,
  replicaType: "REAL_TIME",
  setting: {
    ...SETTING,
    errorStrategy: "FAST_FAIL",
    executionPlan: { executeImmediately: true, executeTime: null, cronExpression: null },
  },
  description: null,
  enable: true,
};

const distribution = (
  name: string,
  method: string,
  path: string,
  body: unknown = undefined,
  data: unknown = null,
): Example => ({ name, method, path: `${DISTRIBUTION}/${path}`, body, answer: ok(data) });

/** The tests run these examples in this order: each builds on the state that the ones before it left. */
export const DISTRIBUTION_EXAMPLES: Example[] = [
  distribution("create, to a registry", "POST", "create/bkrepo/maven-local", {
    configs: [{ name: "mirrors", ...TO_REGISTRY, ...DISTRIBUTED }],
  }),
  distribution("create, to a cluster", "POST", "create/bkrepo/maven-local", {
    configs: [{ name: "mirrors", ...TO_CLUSTER, ...DISTRIBUTED }],
  }),
  distribution("update, to a registry", "POST", "update/bkrepo/maven-local/mirrors", {
    ...TO_REGISTRY,
    ...DISTRIBUTED,
  }),
  distribution("info of one", "GET", "info/bkrepo/maven-local/mirrors", undefined, [
    DISTRIBUTION_INFO,
  ]),
  distribution("update, to a cluster", "POST", "update/bkrepo/maven-local/mirrors", {
    ...TO_CLUSTER,
    ...DISTRIBUTED,
  }),
  distribution("info of all", "GET", "info/bkrepo/maven-local", undefined, [
    DISTRIBUTION_INFO,
  ]),
  distribution("toggle", "POST", "toggle/status/bkrepo/maven-local/mirrors"),
  distribution("delete", "DELETE", "delete/bkrepo/maven-local/mirrors"),
  distribution(
    "run-once, a package to a registry",
    "POST",
    "create/runOnceTask/bkrepo/images",
    {
      name: "xxxx",
      ...TO_REGISTRY,
      packageName: "nginx",
      versions: ["1.1"],
      targetVersions: ["1.2", "1.3"],
      description: "xxxx",
    },
  ),
  distribution(
    "run-once, a package to a cluster",
    "POST",
    "create/runOnceTask/bkrepo/images",
    {
      name: "xxxx",
      ...TO_CLUSTER,
      packageName: "nginx",
      versions: ["1.1"],
      description: "xxxx",
    },
  ),
  distribution(
    "run-once, paths to a cluster",
    "POST",
    "create/runOnceTask/bkrepo/files",
    {
      name: "xxxx",
      ...TO_CLUSTER,
      pathConstraints: ["/a.txt"],
      description: "xxxx",
    },
  ),
  distribution("run-once, execute", "POST", "execute/runOnceTask/bkrepo/files?name=xxxx"),
  distribution(
    "run-once, status",
    "GET",
    "get/runOnceTaskStatus/bkrepo/files?name=xxxx",
    undefined,
    RECORD_INFO,
  ),
  distribution("run-once, delete", "DELETE", "delete/runOnceTask/bkrepo/files?name=xxxx"),
];
