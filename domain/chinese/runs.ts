import type { Sayings } from "./sayings.ts";

/** Why runs and artifacts failed or wait, as records keep it, with its Chinese. */
export const RUN_SAYINGS: Sayings = [
  // Runs and records.
  ["stopped by {user}", "由 {user} 停止"],
  ["stopped: the task was deleted", "已停止：任务已被删除"],
  ["the run is over", "运行已结束"],
  [
    "the target has other content, which stays there (conflictStrategy SKIP): OVERWRITE replaces it",
    "目标处有其他内容，并保持不变（conflictStrategy 为 SKIP）：OVERWRITE 会将其替换",
  ],
  ["the run ended before this artifact did", "运行在此制品完成之前已结束"],
  ["{reason…}; before that: {reason…2}", "{reason…}；此前：{reason…2}"],
  [
    "missed: it was due at {time}, when it could not be started",
    "已错过：原定于 {time} 执行，当时无法启动",
  ],
  [
    "{failed} of {planned} artifacts failed, first {reason…}",
    "{planned} 个制品中有 {failed} 个失败，第一个：{reason…}",
  ],
  [
    "{count} of {planned} artifacts were not handled",
    "{planned} 个制品中有 {count} 个未处理",
  ],
  [
    "stopped at the first failure (FAST_FAIL): {reason…}",
    "在第一个失败处停止（FAST_FAIL）：{reason…}",
  ],
  [
    "the run stops at its first failure (FAST_FAIL)",
    "运行在第一个失败处停止（FAST_FAIL）",
  ],
  ["the run broke off: {reason…}", "运行中断：{reason…}"],
  ["{reason…} (tried for {seconds} s)", "{reason…}（已尝试 {seconds} 秒）"],
  ["{reason…} (waited for {seconds} s)", "{reason…}（已等待 {seconds} 秒）"],
  ["{reason…} (tried {count} times)", "{reason…}（已尝试 {count} 次）"],
  [
    "postponed, because other artifacts got no answer: {reason…}",
    "已推迟，因为其他制品没有得到应答：{reason…}",
  ],
  ["cannot be planned: {reason…}", "无法制定计划：{reason…}"],
  ["{place} cannot be listed: {reason…}", "无法列出 {place}：{reason…}"],
  ["the repository or the cluster was deleted", "仓库或集群已被删除"],
  [
    "repository {place} was deleted while the run went on",
    "仓库 {place} 在运行期间被删除",
  ],
  ["repository {place} does not exist", "仓库 {place} 不存在"],
  ["cluster {id} does not exist any more", "集群 {id} 已不存在"],
  ["nothing matches path {path} in {place}", "{place} 中没有与路径 {path} 匹配的内容"],
  [
    "{subject} is no longer in {place}: it was deleted after the run was planned",
    "{subject} 已不在 {place} 中：它在制定计划之后被删除",
  ],
  // What cannot be sent yet (domain/capabilities.ts).
  [
    "replication of {reason…} is not built yet; {reason…2} repositories can be replicated",
    "尚不支持同步{reason…}；可同步的仓库：{reason…2}",
  ],
  [
    "{reason…} can be sent to a REMOTE cluster, not yet to another instance",
    "{reason…}可发送到 REMOTE 集群，尚不能发送到其他实例",
  ],
  [
    "{reason…} can be sent to another instance (CENTER, EDGE, STANDALONE), not yet to a REMOTE cluster",
    "{reason…}可发送到其他实例（CENTER、EDGE、STANDALONE），尚不能发送到 REMOTE 集群",
  ],
  [
    "{reason…} cannot be sent yet to a REMOTE cluster",
    "{reason…}尚不能发送到 REMOTE 集群",
  ],
  ["hosted {types} and linked {others}", "本地 {types}，远程 {others}"],
  ["hosted {type} repositories", "{type} 本地仓库"],
  [
    "linked {type} repositories that speak {protocol}",
    "使用协议 {protocol} 的 {type} 远程仓库",
  ],
  ["linked {type} repositories", "{type} 远程仓库"],
  ["files of a hosted {type} repository", "{type} 本地仓库的文件"],
  ["files of a linked {type} repository", "{type} 远程仓库的文件"],
  ["packages of a hosted {type} repository", "{type} 本地仓库的包"],
  ["packages of a linked {type} repository", "{type} 远程仓库的包"],
  ["images of a hosted {type} repository", "{type} 本地仓库的镜像"],
  ["images of a linked {type} repository", "{type} 远程仓库的镜像"],
  // Conflicts.
  [
    "{subject}: {place} has other content there ({what}) and the conflict strategy is FAST_FAIL",
    "{subject}：{place} 在该处有不同的内容（{what}），而冲突策略是 FAST_FAIL",
  ],
  [
    "{subject}: {place} has other content there and the conflict strategy is FAST_FAIL",
    "{subject}：{place} 在该处有不同的内容，而冲突策略是 FAST_FAIL",
  ],
  // The ends of runs.
  [
    "the cluster took nothing for {seconds#} s: {reason…}; its uploads are kept for the next drain",
    "集群在 {seconds#} 秒内没有接受任何内容：{reason…}；其上传留待下一次执行",
  ],
  [
    "no transfer worker could finish the batch: each that tried died or was lost; see the workers' logs",
    "没有传输进程能完成该批次：尝试过的进程都已退出或丢失；请查看各传输进程的日志",
  ],
  ["another worker has taken the batch over", "该批次已由另一个传输进程接管"],
  [
    "the run was ended from outside: {state} in Temporal",
    "运行从外部被结束：在 Temporal 中为 {state}",
  ],
  ["stopped: the run was cancelled in Temporal", "已停止：运行在 Temporal 中被取消"],
  [
    "{reason…}; the run could not end on its own: {why…}",
    "{reason…}；运行无法自行结束：{why…}",
  ],
  ["{step…} has failed {count#} times", "{step…}已失败 {count#} 次"],
  [
    "{step…} has failed {count#} times: {reason…}",
    "{step…}已失败 {count#} 次：{reason…}",
  ],
  ["the workflow code", "工作流代码"],
  ["no worker carried out any of its activities", "没有 worker 执行它的任何活动"],
  ["no orchestrator carried out its next step", "没有 orchestrator 执行它的下一步"],
  [
    "restored: the database is older than this run's end, so status, reason and times are those of the run's result " +
      "in Temporal",
    "已恢复：数据库早于此次运行的结束，因此状态、原因和时间取自该运行在 Temporal 中的结果",
  ],
  [
    "the result is {done#} of {planned#} artifacts done and {failed#} failed, and the rows in the database show " +
      "{rowsDone#} of {rowsPlanned#} artifacts done and {rowsFailed#} failed",
    "结果为 {planned#} 个制品中完成 {done#} 个、失败 {failed#} 个，而数据库的行显示 {rowsPlanned#} 个制品中完成 " +
      "{rowsDone#} 个、失败 {rowsFailed#} 个",
  ],
  ["the worker is stopping", "传输进程正在停止"],
  ["the run was cancelled", "运行已被取消"],
  // What a run does not find.
  [
    "package {key} is not in {place}: check its name",
    "{place} 中没有包 {key}：请检查其名称",
  ],
  ["package {key} of {place} has no versions", "{place} 的包 {key} 没有版本"],
  [
    "version {version} of package {key} is not in {place}",
    "{place} 中没有包 {key} 的版本 {version}",
  ],
  [
    "image {name} is not in the registry {url}, or has no tags: check the package's name",
    "外部仓库 {url} 中没有镜像 {name}，或它没有标签：请检查包的名称",
  ],
  [
    "package {name} is not in the registry {url}, or has no versions: check the package's name",
    "外部仓库 {url} 中没有包 {name}，或它没有版本：请检查包的名称",
  ],
  [
    "{version} is not in the registry {url}: check the version",
    "外部仓库 {url} 中没有 {version}：请检查版本",
  ],
  // What cannot be sent as it is.
  [
    "the version has {files#} files; {url} accepts at most {most#} for one version, so it cannot be replicated there",
    "该版本有 {files#} 个文件；{url} 对一个版本最多接受 {most#} 个，因此无法同步到该处",
  ],
  [
    "the metadata (list of files and package document) has {bytes#} bytes; {url} accepts at most {most#}, " +
      "so the artifact cannot be replicated there",
    "元数据（文件列表和包文档）有 {bytes#} 字节；{url} 最多接受 {most#} 字节，因此该制品无法同步到该处",
  ],
  [
    "this release knows no protocol for {url} and this repository type: " +
      "name the protocol of the cluster or linked repository (docs/connectors.md)",
    "对于 {url} 和此仓库类型，此版本没有已知的协议：请指定集群或远程仓库的 protocol（docs/connectors.md）",
  ],
  [
    "{url} speaks {protocol}, which this release does not support: choose another protocol (docs/connectors.md)",
    "{url} 使用协议 {protocol}，此版本不支持：请选择其他协议（docs/connectors.md）",
  ],
  [
    "{subject}: {place} has other content there ({what}), and what is published there never changes: " +
      "publish the content under another version, or choose the conflict strategy SKIP",
    "{subject}：{place} 在该处有不同的内容（{what}），而该处已发布的内容不会更改：" +
      "请以另一个版本发布该内容，或选择冲突策略 SKIP",
  ],
  [
    "{subject}: {place} has other content there, and what is published there never changes: " +
      "publish the content under another version, or choose the conflict strategy SKIP",
    "{subject}：{place} 在该处有不同的内容，而该处已发布的内容不会更改：请以另一个版本发布该内容，或选择冲突策略 SKIP",
  ],
  [
    "{version} is published there with another tarball and must not change: " +
      "publish the content under another version, or choose the conflict strategy SKIP",
    "{version} 在该处以另一个 tarball 发布，不得更改：请以另一个版本发布该内容，或选择冲突策略 SKIP",
  ],
  [
    "{path} is released there with other content and must not change: " +
      "publish the content under another version, or choose the conflict strategy SKIP",
    "{path} 在该处以其他内容发布，不得更改：请以另一个版本发布该内容，或选择冲突策略 SKIP",
  ],
  [
    "its files have the digest {found}, not the declared {wanted}",
    "其文件的摘要是 {found}，而不是所声明的 {wanted}",
  ],
  [
    "its tarball has the digest {found}, not the declared {wanted}",
    "其 tarball 的摘要是 {found}，而不是所声明的 {wanted}",
  ],
  ["no space left on the device of the registry; {said…}", "外部仓库的磁盘已满；{said…}"],
  ["the upload was aborted", "上传已中止"],
  ["a newer request continues this upload", "另一个较新的请求继续了此上传"],
];
