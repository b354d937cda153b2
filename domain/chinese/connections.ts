import type { Sayings } from "./sayings.ts";

/** Why connections break, requests are refused and contents are wrong, with its Chinese. General sentences are last. */
export const CONNECTION_SAYINGS: Sayings = [
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
  ["the certificate of {host} {fault…}", "{host} 的证书{fault…}"],
  [
    "has expired ({code}): renew it at that server, or check this machine's clock",
    "已过期（{code}）：请在该服务器上更新证书，或检查本机时钟",
  ],
  [
    "is not valid yet ({code}): check the clocks of that server and of this machine",
    "尚未生效（{code}）：请检查该服务器和本机的时钟",
  ],
  [
    "was revoked ({code}): replace it at that server",
    "已被吊销（{code}）：请在该服务器上更换证书",
  ],
  [
    "is for another host name ({code}): use a host name that the certificate states",
    "属于其他主机名（{code}）：请使用证书中的主机名",
  ],
  [
    "is not signed by a trusted CA ({code}): set `certificate` to the CA's PEM",
    "不是由可信 CA 签发的（{code}）：请把 `certificate` 设为该 CA 的 PEM",
  ],
  [
    "{place} is a link-local or metadata address, which is refused: " +
      "if it is a registry, add its range to ALLOWED_ADDRESSES",
    "{place} 是链路本地或元数据地址，已被拒绝：如果它是外部仓库，请把其网段加入 ALLOWED_ADDRESSES",
  ],
  [
    "{place} is a private address, to which an end at a public one leads, so it is refused: " +
      "if that is right, add its range to ALLOWED_ADDRESSES",
    "{place} 是私有地址，而引向它的一端位于公网地址，已被拒绝：如果确实如此，请把其网段加入 ALLOWED_ADDRESSES",
  ],
  // Answers of other ends.
  [
    "{url} answered {status#}: check username, password and what this user may do there",
    "{url} 应答 {status#}：请检查用户名、密码以及该用户的权限",
  ],
  [
    "{url} answered {status#} ({said…}): check username, password and what this user may do there",
    "{url} 应答 {status#}（{said…}）：请检查用户名、密码以及该用户的权限",
  ],
  [
    "{url} answered {status#}: free space there",
    "{url} 应答 {status#}：请在该处释放空间",
  ],
  [
    "{url} answered {status#}: the server demands fewer requests",
    "{url} 应答 {status#}：服务器要求减少请求",
  ],
  [
    "{url} answered {status#} ({said…}): the server demands fewer requests",
    "{url} 应答 {status#}（{said…}）：服务器要求减少请求",
  ],
  [
    "the server at {place} is not an instance of this product (or a version too old for replication): " +
      "check the cluster's url; a registry is a cluster of type REMOTE",
    "{place} 上的服务器不是本产品的实例（或版本过旧，不支持同步）：请检查集群的 url；外部仓库应为 REMOTE 类型的集群",
  ],
  [
    "the stored credentials of {url} cannot be opened, or were sealed for another address: enter them again",
    "无法打开 {url} 的已存凭据，或这些凭据是为其他地址保存的：请重新输入",
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
    "the quota of repository {name} is {quota} ({exact}), of which {used} ({exactUsed}) are used, and {needed} " +
      "({exactNeeded}) more are needed: delete what is not needed, or raise the quota " +
      "(POST /repository/api/repo/quota/{path})",
    "仓库 {name} 的配额为 {quota} ({exact})，已用 {used} ({exactUsed})，还需要 {needed} ({exactNeeded})：" +
      "请删除不需要的内容，或提高配额（POST /repository/api/repo/quota/{path}）",
  ],
  [
    "the quota of project {name} is {quota} ({exact}), of which {used} ({exactUsed}) are used, and {needed} " +
      "({exactNeeded}) more are needed: delete what is not needed, or raise the quota " +
      "(POST /repository/api/project/quota/{path})",
    "项目 {name} 的配额为 {quota} ({exact})，已用 {used} ({exactUsed})，还需要 {needed} ({exactNeeded})：" +
      "请删除不需要的内容，或提高配额（POST /repository/api/project/quota/{path}）",
  ],
  [
    "the disk is too full for this upload (setting DISK_RESERVE): {free} are free below DATA_DIR, uploads under way " +
      "take {claimed}, and {reserve} are kept for the databases: delete what is not needed and have its space " +
      "collected (POST /repository/api/store/collect), or enlarge the disk",
    "磁盘空间不足以上传（设置 DISK_RESERVE）：DATA_DIR 所在磁盘剩余 {free}，进行中的上传占用 {claimed}，" +
      "{reserve} 保留给数据库：请删除不需要的内容并回收其空间（POST /repository/api/store/collect），或扩大磁盘",
  ],
  [
    "the disk of the store is full: free some space and try again",
    "存储的磁盘已满：请释放空间后重试",
  ],
  [
    "upload session {id} does not exist: start a new one",
    "上传会话 {id} 不存在：请新建一个",
  ],
  // Answers in general.
  [
    '{what} has the Content-Encoding "{coding}", which was not requested; only {known} can be decoded: ' +
      "switch it off at the server",
    "{what} 使用了未请求的 Content-Encoding “{coding}”；只能解码 {known}：请在服务器上关闭它",
  ],
  [
    '{what} has the Content-Encoding "{coding}" but cannot be decoded as such',
    "{what} 声明了 Content-Encoding “{coding}”，但无法按其解码",
  ],
  [
    "{what} has {count#} Content-Encodings one upon the other, at most {most#} are decoded: " +
      "switch them off at the server",
    "{what} 叠加了 {count#} 层 Content-Encoding，最多解码 {most#} 层：请在服务器上关闭它们",
  ],
  [
    "{place} sends more than {count#} provisional answers (1xx) before an answer: check the server",
    "{place} 在最终应答之前发送了超过 {count#} 个临时应答（1xx）：请检查服务器",
  ],
  [
    "{what} is by more than {count#} bytes longer than what its Content-Encoding stands for: check the server",
    "{what} 比其 Content-Encoding 所代表的内容长 {count#} 字节以上：请检查服务器",
  ],
  [
    "the answer of {place} is too large: {reason…}: {advice…}",
    "{place} 的应答过大：{reason…}：{advice…}",
  ],
  ["it has more than the {most#} bytes that are accepted", "超过允许的 {most#} 字节"],
  ["it has more than the {most#} values that are accepted", "超过允许的 {most#} 个值"],
  [
    "it lists more than the {most#} entries that are accepted",
    "列出的条目超过允许的 {most#} 个",
  ],
  [
    "it is nested deeper than the {most#} levels that are accepted",
    "嵌套超过允许的 {most#} 层",
  ],
  ["is this the right address?", "地址是否正确？"],
  [
    "raise MAX_TAGS if that is right, or {advice…}",
    "如果确实如此，请提高 MAX_TAGS，或{advice…}",
  ],
  [
    "the control plane at {url} answers {request} with too much: {reason…}",
    "控制平面 {url} 对 {request} 的应答过大：{reason…}",
  ],
  [
    "{url} sends less than {rate#} bytes per second, the lowest rate (setting MIN_RATE)",
    "{url} 的发送速度低于每秒 {rate#} 字节的下限（设置 MIN_RATE）",
  ],
  [
    "{host} sends more than {budget#} bytes beyond any size that is stated, the limit (setting MAX_UNSIZED): " +
      "check that server, or raise the setting if the content is right",
    "{host} 发送的内容超出任何已声明的大小 {budget#} 字节以上，这是上限（设置 MAX_UNSIZED）：" +
      "请检查该服务器；如果内容确实如此，请提高该设置",
  ],
  [
    "{place} redirects more than {count#} times: check the url",
    "{place} 重定向超过 {count#} 次：请检查 url",
  ],
  [
    "{url} answered {status#} ({said…}): raise the limit of the server or of the proxy before it",
    "{url} 应答 {status#}（{said…}）：请提高该服务器或其前面代理的限制",
  ],
  [
    "{url} answered {status#}: raise the limit of the server or of the proxy before it",
    "{url} 应答 {status#}：请提高该服务器或其前面代理的限制",
  ],
  [
    "{url} answered {status#} ({said…}): free space there",
    "{url} 应答 {status#}（{said…}）：请在该处释放空间",
  ],
  ["{url} answered {status#} ({said…})", "{url} 应答 {status#}（{said…}）"],
  ["{url} answered {status#}", "{url} 应答 {status#}"],
];
