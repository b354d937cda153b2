/**
 * Sentences of this program that are stored in English or said by its connectors, with their Chinese. `{name}` stands
 * for a name or number that stays as it is, `{reason…}` for another sentence. A sentence that has no row here is quoted
 * in its own words, as those of other servers are.
 */
export const SAYINGS: readonly (readonly [en: string, zh: string])[] = [
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
  // Connections.
  [
    "connection refused (ECONNREFUSED): is the server running, and is the port right?",
    "连接被拒绝（ECONNREFUSED）：服务器是否在运行，端口是否正确？",
  ],
  [
    "the host name cannot be resolved ({code}): check the address",
    "无法解析主机名（{code}）：请检查地址",
  ],
  ["the connection broke off ({code})", "连接中断（{code}）"],
  [
    "no connection to {host} in time: check the address and the firewalls between",
    "未能及时连接到 {host}：请检查地址和之间的防火墙",
  ],
  ["{host} was silent for {seconds} s", "{host} 在 {seconds} 秒内没有应答"],
  [
    "no answer within {seconds} s: check the url and the network between",
    "{seconds} 秒内没有应答：请检查 url 和之间的网络",
  ],
  [
    "{host} does not answer in TLS ({code}): should its URL begin with http://?",
    "{host} 不以 TLS 应答（{code}）：其 URL 是否应以 http:// 开头？",
  ],
  [
    "{host} answers, but not in HTTP: check the port of the url",
    "{host} 有应答，但不是 HTTP：请检查 url 的端口",
  ],
  [
    "the certificate of {host} has expired ({code}): renew it at that server, or check this machine's clock",
    "{host} 的证书已过期（{code}）：请在该服务器上更新证书，或检查本机时钟",
  ],
  [
    "the certificate of {host} is not valid yet ({code}): check the clocks of that server and of this machine",
    "{host} 的证书尚未生效（{code}）：请检查该服务器和本机的时钟",
  ],
  [
    "the certificate of {host} was revoked ({code}): replace it at that server",
    "{host} 的证书已被吊销（{code}）：请在该服务器上更换证书",
  ],
  [
    "the certificate of {host} is for another host name ({code}): use a host name that the certificate states",
    "{host} 的证书属于其他主机名（{code}）：请使用证书中的主机名",
  ],
  [
    "the certificate of {host} is not signed by a trusted CA ({code}): set `certificate` to the CA's PEM",
    "{host} 的证书不是由可信 CA 签发的（{code}）：请把 `certificate` 设为该 CA 的 PEM",
  ],
  [
    "{place} is a link-local or metadata address, which is refused: " +
      "if it is a registry, add its range to ALLOWED_ADDRESSES",
    "{place} 是链路本地或元数据地址，已被拒绝：如果它是外部仓库，请把其网段加入 ALLOWED_ADDRESSES",
  ],
  // Answers of other ends.
  [
    "{url} answered {status}: check username, password and what this user may do there",
    "{url} 应答 {status}：请检查用户名、密码以及该用户的权限",
  ],
  [
    "{url} answered {status} ({said}): check username, password and what this user may do there",
    "{url} 应答 {status}（{said}）：请检查用户名、密码以及该用户的权限",
  ],
  ["{url} answered {status}: free space there", "{url} 应答 {status}：请在该处释放空间"],
  [
    "{url} answered {status}: the server demands fewer requests",
    "{url} 应答 {status}：服务器要求减少请求",
  ],
  [
    "{url} answered {status} ({said}): the server demands fewer requests",
    "{url} 应答 {status}（{said}）：服务器要求减少请求",
  ],
  [
    "the server at {place} is not an instance of this product (or a version too old for replication): " +
      "check the cluster's url; a registry is a cluster of type REMOTE",
    "{place} 上的服务器不是本产品的实例（或版本过旧，不支持同步）：请检查集群的 url；外部仓库应为 REMOTE 类型的集群",
  ],
  [
    "the stored credentials of {url} were sealed with another secret key: enter them again",
    "{url} 的已存凭据是用另一个密钥加密的：请重新输入",
  ],
  // Contents.
  [
    "the content has {algorithm} {found}, not {wanted} as announced: send the content again, or announce its digest",
    "内容的 {algorithm} 是 {found}，而不是所声明的 {wanted}：请重新发送内容，或声明其摘要",
  ],
  [
    "{announced} bytes were announced, {found} arrived: send the content again, or announce its size",
    "声明了 {announced} 字节，收到 {found} 字节：请重新发送内容，或声明其大小",
  ],
  [
    "the content is larger than the limit of {bytes} bytes (setting MAX_UPLOAD, or the limit of one chunk)",
    "内容超过 {bytes} 字节的限制（设置 MAX_UPLOAD，或单个分块的限制）",
  ],
  [
    "the disk of the store is full: free some space and try again",
    "存储的磁盘已满：请释放空间后重试",
  ],
  [
    "upload session {id} does not exist: start a new one",
    "上传会话 {id} 不存在：请新建一个",
  ],
];
