import { inOrder, type Mistake } from "./row.ts";

const REPO = "/repository/api/repo";
type Words = { en: RegExp; zh: RegExp };

const made = (
  what: string,
  changes: Record<string, unknown>,
  code: number,
  words: Words,
  status = code === 0 ? 200 : 400,
): Mistake => ({
  what,
  ask: (name) => ({
    path: `${REPO}/create`,
    body: { projectId: "p", name, type: "GENERIC", ...changes },
  }),
  status,
  code,
  ...words,
});
const linked = (configuration: Record<string, unknown>) => ({
  type: "OCI",
  category: "REMOTE",
  configuration: { type: "remote", url: "https://r.example", ...configuration },
});

/** Mistakes with projects and repositories. */
export const REPOSITORY_MISTAKES: readonly Mistake[] = [
  {
    what: "a project whose name begins with a digit",
    ask: () => ({ path: "/repository/api/project/create", body: { name: "1st" } }),
    status: 400,
    code: 250105,
    en: /\[name\].*2 to 100 letters, digits, - or _/,
    zh: /\[name\].*2 到 100 个字母、数字、- 或 _/,
  },
  made("a hosted HELM repository", { type: "HELM" }, 250105, {
    en: inOrder(
      /\[type\]/,
      /type HELM cannot be hosted yet/,
      /choose GENERIC, DOCKER, OCI, MAVEN or NPM, or link a registry elsewhere with category REMOTE/,
    ),
    zh: /\[type\].*尚不支持 HELM 类型的本地仓库.*GENERIC、DOCKER、OCI、MAVEN 或 NPM，或用 category REMOTE/,
  }),
  made("a type of repository that does not exist", { type: "TAPE" }, 250106, {
    en: /type: .*"GENERIC"\|"DOCKER"/,
    zh: /type：.*"GENERIC"\|"DOCKER"/,
  }),
  made(
    "a repository with a wrong name in an unknown project, with a wrong configuration",
    { projectId: "q", name: "1", configuration: { type: "remote", protocol: "OCI" } },
    250105,
    {
      en: inOrder(
        /\[name\]/,
        /2 to 64/,
        /\[configuration\.type\]/,
        /must be "local"/,
        /\[configuration\.protocol\]/,
        /leave the field out/,
        /project \[q\] is not found/,
      ),
      zh: /\[name\].*2 到 64.*\[configuration\.type\].*“local”.*\[configuration\.protocol\].*请去掉该字段.*项目\[q\]不存在/,
    },
  ),
  made(
    "a repository whose name is taken",
    { name: "files" },
    251007,
    { en: /repository \[p\/files\] already exists/, zh: /仓库\[p\/files\]已存在/ },
    409,
  ),
  made("an image repository with capitals", { name: "Images", type: "OCI" }, 250105, {
    en: /p\/Images must be lower-case/,
    zh: /p\/Images 必须是小写/,
  }),
  made("a linked repository without a url", linked({ url: null }), 250103, {
    en: /\[configuration\.url\] is missing/,
    zh: /参数\[configuration\.url\]缺失/,
  }),
  made(
    "a linked repository whose url and certificate are wrong",
    linked({ url: "r example", certificate: "x" }),
    250105,
    {
      en: /\[configuration\.url\].*\[configuration\.certificate\].*certificate in PEM form/,
      zh: /\[configuration\.url\].*\[configuration\.certificate\].*必须是 PEM 格式的证书/,
    },
  ),
  made("a url beside the configuration", { ...linked({}), url: "https://r.example" }, 0, {
    en: /"url" is unknown and was ignored: its place is "configuration\.url"/,
    zh: /"url" 未知，已被忽略：它的位置是 "configuration\.url"/,
  }),
  made("a protocol beside the configuration", { ...linked({}), protocol: "OCI" }, 0, {
    en: /"protocol" is unknown and was ignored: its place is "configuration\.protocol"/,
    zh: /它的位置是 "configuration\.protocol"/,
  }),
  made(
    "credentials of a hosted repository",
    { configuration: { type: "local", credentials: { username: "u" } } },
    0,
    {
      en: /"configuration\.credentials" will not be used: the repository is hosted here/,
      zh: /"configuration\.credentials" 不会被使用：该仓库是本地仓库/,
    },
  ),
  made("a public repository", { public: true }, 0, {
    en: /"public" will not be used: it is stored and has no effect/,
    zh: /"public" 不会被使用：它只被存储，不起作用/,
  }),
  made(
    "a certificate of a registry by http",
    linked({ url: "http://r.example", insecureSkipVerify: true }),
    0,
    {
      en: /"configuration\.insecureSkipVerify" will not be used: the url begins with http:/,
      zh: /"configuration\.insecureSkipVerify" 不会被使用/,
    },
  ),
  made(
    "a setting that only MAVEN has",
    { configuration: { type: "local", settings: { allowOverwrite: true } } },
    250105,
    {
      en: /only hosted MAVEN repositories have this setting: leave the field out/,
      zh: /只有 MAVEN 本地仓库有此设置：请去掉该字段/,
    },
  ),
  {
    what: "deleting a repository in use",
    ask: () => ({ method: "DELETE", path: `${REPO}/delete/p/used` }),
    status: 400,
    code: 250112,
    en: /repository p\/used is used by tasks: task-in-use\. Delete them first, or change them/,
    zh: /仓库 p\/used 正被以下任务使用：task-in-use。请先删除这些任务/,
  },
  {
    what: "a repository of another type than its address says",
    ask: () => ({ method: "GET", path: `${REPO}/info/p/files/MAVEN` }),
    status: 404,
    code: 251006,
    en: /its type is GENERIC, not MAVEN: request it with its type/,
    zh: /它的类型是 GENERIC，不是 MAVEN：请按该类型请求/,
  },
  {
    what: "testing the registry of a hosted repository",
    ask: () => ({ method: "GET", path: `${REPO}/tryConnect/p/files` }),
    status: 400,
    code: 250112,
    en: /p\/files is hosted here and has no registry to connect to: name a linked repository/,
    zh: /p\/files 是本地仓库，没有可连接的外部仓库：请指定远程仓库/,
  },
];
