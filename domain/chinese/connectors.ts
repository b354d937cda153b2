import type { Sayings } from "./sayings.ts";

/** The failures of connectors and workers with their Chinese. */
export const CONNECTOR_SAYINGS: Sayings = [
  // The control plane and its workers.
  [
    "the control plane answered {status#} to a request for the content {digest}",
    "对内容 {digest} 的请求，控制面应答了 {status#}",
  ],
  [
    "the control plane answered {status#} to {request}: {said…}",
    "对 {request}，控制面应答了 {status#}：{said…}",
  ],
  [
    "the control plane at {url} refuses this worker, and does not sign with its key ({status#}: {said…}): " +
      "start this worker with a WORKER_TOKEN of the instance (worker/create) and the same release, and check what " +
      "lies between",
    "控制面 {url} 拒绝此 worker，且其应答未用此 worker 的密钥签名（{status#}：{said…}）：" +
      "请使用该实例的 WORKER_TOKEN（worker/create）和相同版本启动此 worker，并检查两者之间的网络",
  ],
  [
    "what answers at {url} (status {status#}) does not sign as the control plane does: write the address of " +
      "the service in API_URL, with the path that a proxy before it needs, and check that the service runs",
    "{url} 的应答（状态 {status#}）没有控制面的签名：请在 API_URL 中填写服务的地址（包括其前面的代理所需的路径），" +
      "并检查服务是否在运行",
  ],
  [
    "the answer of the control plane was changed or cut off on the way: if that repeats, check the network between",
    "控制面的应答在途中被更改或截断：如果反复发生，请检查之间的网络",
  ],
  ["it answers {request} without JSON", "对 {request} 的应答不是 JSON"],
  [
    "the control plane at {url} cannot be reached: check that it runs, and API_URL of this worker",
    "无法访问控制面 {url}：请检查它是否在运行，以及此 worker 的 API_URL",
  ],
  [
    "the control plane at {url} refuses this worker ({status#}): {said…}",
    "控制面 {url} 拒绝此 worker（{status#}）：{said…}",
  ],
  [
    "the connection to the control plane at {url} was lost while it answered",
    "与控制面 {url} 的连接在其应答时中断",
  ],
  [
    "the connection to the control plane was lost while it sent content: if that repeats, check the network between",
    "与控制面的连接在其发送内容时中断：如果反复发生，请检查之间的网络",
  ],
  [
    "the answer of the control plane was cut off: if that repeats, check the network between",
    "控制面的应答被截断：如果反复发生，请检查之间的网络",
  ],
  [
    "the control plane describes none of the requested versions",
    "控制面没有给出所请求的任何版本",
  ],
  ["the batch's time is over", "该批次的时间已到"],
  ["the artifact goes on in a later batch", "该制品将在之后的批次中继续"],
  ["a large blob must go in one request", "大的 blob 必须在一个请求中发送"],
  ["it waits for a slot without a time limit", "它在等待没有时间限制的名额"],
  ["stopped", "已停止"],
  // What cannot be sent.
  [
    "the version has {files#} files; one with more than {most#} files cannot be sent",
    "该版本有 {files#} 个文件；超过 {most#} 个文件的版本无法发送",
  ],
  [
    "this release cannot list {content} by protocol {protocol}: name the packages or paths to replicate " +
      "(packageConstraints, pathConstraints)",
    "此版本无法通过协议 {protocol} 列出 {content}：请指定要同步的包或路径（packageConstraints、pathConstraints）",
  ],
  [
    "this release cannot read from {place} by protocol {protocol}: choose a source with another protocol " +
      "(docs/connectors.md)",
    "此版本无法通过协议 {protocol} 读取 {place}：请选择使用其他协议的来源（docs/connectors.md）",
  ],
  [
    "this release cannot write to {place} by protocol {protocol}: choose a cluster with another protocol " +
      "(docs/connectors.md)",
    "此版本无法通过协议 {protocol} 写入 {place}：请选择使用其他协议的集群（docs/connectors.md）",
  ],
  [
    "{path} cannot be read back from the target, which offers no reading: set setting.verification to DIGEST and " +
      "setting.compare to SIZE",
    "目标不提供读取，无法读回 {path}：请将 setting.verification 设为 DIGEST，setting.compare 设为 SIZE",
  ],
  [
    "{path} was sent to {place}, but {found…}: check whether anyone else writes there",
    "{path} 已发送到 {place}，但{found…}：请检查是否有其他人在该处写入",
  ],
  ["afterwards the content is missing there", "之后该处没有此内容"],
  ["afterwards other content is there", "之后该处是其他内容"],
  [
    "{place} reports neither digest nor size of {path}, so nothing proves that it arrived: " +
      "set verification to READ_BACK",
    "{place} 既不给出 {path} 的摘要也不给出大小，因此无法证明其已到达：请将 verification 设为 READ_BACK",
  ],
  // The store of this instance.
  [
    "the content {digest} is damaged in the store: upload the file again, or replicate it here again",
    "存储中的内容 {digest} 已损坏：请重新上传该文件，或重新同步到此处",
  ],
  [
    "the content {digest} is not in the store: upload the file again, or replicate it here again",
    "存储中没有内容 {digest}：请重新上传该文件，或重新同步到此处",
  ],
  [
    "the content in the local store is damaged ({found}, not {digest}): " +
      "upload the file again, or replicate it here again",
    "本地存储中的内容已损坏（{found}，应为 {digest}）：请重新上传该文件，或重新同步到此处",
  ],
  [
    '"{text}" is not a sha256 digest in lower-case hex',
    "“{text}”不是小写十六进制的 sha256 摘要",
  ],
  // Other instances.
  [
    "the answer does not follow the replication protocol: check for a proxy that changes answers",
    "应答不符合同步协议：请检查是否有代理更改了应答",
  ],
  [
    "it uses version {version} of the replication protocol, this instance uses version {own}: " +
      "bring both to the same release",
    "它使用同步协议的版本 {version}，本实例使用版本 {own}：请将两者升级到同一版本",
  ],
  [
    "sha256 and size of {path} must be known for an instance of an older release: bring that instance to this release",
    "对旧版本的实例，必须已知 {path} 的 sha256 和大小：请将该实例升级到此版本",
  ],
  ["{path} was not read to its end", "{path} 没有读到末尾"],
  [
    "{place} does not have the content although it was sent: if that repeats, look into the log there",
    "内容已发送，但 {place} 没有该内容：如果反复发生，请查看该处的日志",
  ],
  [
    "the instance {name} at {url} does not support {type} repositories: bring that instance to this release",
    "{url} 上的实例 {name} 不支持 {type} 仓库：请将该实例升级到此版本",
  ],
  [
    "{url} kept only {bytes#} bytes of the upload",
    "{url} 只保留了上传内容的 {bytes#} 字节",
  ],
  [
    "the content was damaged on the way to {place} (wrong digest on arrival): if that repeats, check the proxies " +
      "between the instances",
    "内容在发往 {place} 的途中损坏（到达时摘要错误）：如果反复发生，请检查实例之间的代理",
  ],
  [
    "the cluster's url is not an http(s) URL: write https://host or https://host:port",
    "集群的 url 不是 http(s) URL：请填写 https://host 或 https://host:port",
  ],
  ["{host} says: code {code#}", "{host} 的应答：代码 {code#}"],
  ["{host} says: {said…}", "{host} 的应答：{said…}"],
  // npm registries.
  [
    "the registry {url} does not list its packages: name them with packageConstraints",
    "外部仓库 {url} 不列出其包：请用 packageConstraints 指定",
  ],
  [
    "{host} reports {count} packages but lists {found#}: name them with packageConstraints",
    "{host} 声明有 {count} 个包，但只列出 {found#} 个：请用 packageConstraints 指定",
  ],
  [
    "the answer of {host} is not JSON: is it an npm registry?",
    "{host} 的应答不是 JSON：它是 npm 仓库吗？",
  ],
  [
    "the answer of {host} is not a JSON object: is it an npm registry?",
    "{host} 的应答不是 JSON 对象：它是 npm 仓库吗？",
  ],
  [
    "tarball of {version} is no longer at {place}: it was unpublished there",
    "{version} 的 tarball 已不在 {place}：它在该处已被撤销发布",
  ],
  // Image registries.
  [
    '"{name}" is not a valid image name: use lower-case letters, digits and . _ - /',
    "“{name}”不是有效的镜像名：请使用小写字母、数字和 . _ - /",
  ],
  ['"{text}" is neither a tag nor a digest', "“{text}”既不是标签也不是摘要"],
  [
    "{blob} is missing in the registry {host}: push the image there again",
    "外部仓库 {host} 缺少 {blob}：请在该处重新推送镜像",
  ],
  [
    "{host} sent a different byte range than requested: check for a proxy that changes the Range header",
    "{host} 发送的字节范围与请求的不同：请检查是否有代理更改了 Range 头",
  ],
  [
    "{host} sent a different byte range than the requested one from byte {from#} on: " +
      "check for a proxy that changes the Range header",
    "{host} 发送的字节范围与所请求的（自第 {from#} 字节起）不同：请检查是否有代理更改了 Range 头",
  ],
  ["{reason…} (the login expired during the upload)", "{reason…}（登录在上传期间过期）"],
  [
    "{host} lost {earlier#} bytes of the upload between two batches and has {again#} of them again: " +
      "if that repeats, check how long it keeps uploads",
    "{host} 在两个批次之间丢失了上传的 {earlier#} 字节，现在重新有了其中 {again#} 字节：" +
      "如果反复出现，请检查它保留上传的时间",
  ],
  [
    "{host} confirms {confirmed#} bytes although {sent#} were sent",
    "已发送 {sent#} 字节，但 {host} 只确认了 {confirmed#} 字节",
  ],
  [
    "the source sends {found…}: the copy at the source is corrupt; push it there again",
    "来源发送了{found…}：来源的副本已损坏；请在该处重新推送",
  ],
  ["more than the expected {bytes#} bytes", "多于预期的 {bytes#} 字节"],
  ["less than the expected {bytes#} bytes", "少于预期的 {bytes#} 字节"],
  ["{found#} of the expected {bytes#} bytes", "{found#} 字节（预期 {bytes#} 字节）"],
  ["other content ({digest})", "其他内容（{digest}）"],
  ["the upload begins again", "将重新开始上传"],
  ["the missing parts are sent again", "将重新发送缺少的部分"],
  [
    "the list of attachments of {subject} (tag {tag}) keeps changing at {host}: check who else writes there",
    "{host} 上 {subject} 的附件列表（标签 {tag}）不断变化：请检查还有谁在该处写入",
  ],
  [
    "{host} lists attachments of {subject} only under the tag {tag}, which is the tag of another image there: " +
      "give that image another tag",
    "{host} 只在标签 {tag} 下列出 {subject} 的附件，而该标签在该处属于另一个镜像：请为那个镜像更换标签",
  ],
  [
    "index {index} names {digest}, which the registry {host} does not have: push the complete index there again",
    "索引 {index} 引用了 {digest}，而外部仓库 {host} 没有它：请在该处重新推送完整的索引",
  ],
  [
    "manifest {manifest} misstates the size of blob {digest}: says {stated#}, has {size#}: " +
      "build the image again and push it",
    "清单 {manifest} 中 blob {digest} 的大小有误：声明 {stated#}，实际 {size#}：请重新构建并推送镜像",
  ],
  [
    "the registry {host} does not list its repositories to this user (_catalog): check the login, or {advice…}",
    "外部仓库 {host} 不向该用户列出其镜像（_catalog）：请检查登录，或{advice…}",
  ],
  [
    "name the packages to replicate with packageConstraints",
    "用 packageConstraints 指定要同步的包",
  ],
  [
    "name the versions to replicate with packageConstraints",
    "用 packageConstraints 指定要同步的版本",
  ],
  [
    '{host} answered something other than JSON with a list "{field}": check that the url is that of an OCI registry',
    "{host} 的应答不是含有列表“{field}”的 JSON：请检查 url 是否为 OCI 仓库的地址",
  ],
  [
    "the registry broke off the list before its end: if that repeats, check the registry",
    "外部仓库在列表结束之前中断：如果反复发生，请检查该仓库",
  ],
  [
    "the registry {host} never ends its pages (page {page#} {why…}, and a next page exists): " +
      "repair its paging, raise the setting if the list is right, or {advice…}",
    "外部仓库 {host} 的分页没有尽头（第 {page#} 页{why…}，且还有下一页）：" +
      "请修复其分页；如果列表无误，请提高该设置，或{advice…}",
  ],
  ["leads back to a page before it", "又回到之前的一页"],
  ["ends like the previous page", "与上一页的结尾相同"],
  [
    "is the {count#}th empty page in a row (setting MAX_EMPTY_PAGES)",
    "是连续第 {count#} 个空页（设置 MAX_EMPTY_PAGES）",
  ],
  [
    "is not the last, the limit is {most#} entries (setting {setting})",
    "不是最后一页，上限为 {most#} 个条目（设置 {setting}）",
  ],
  [
    "brings the number of entries to {count#}, the limit is {most#} entries (setting {setting})",
    "使条目总数达到 {count#}，上限为 {most#} 个条目（设置 {setting}）",
  ],
  [
    "the list of {host} has more than the {bytes#} bytes that are accepted: delete attachments that are not needed",
    "{host} 的列表超过允许的 {bytes#} 字节：请删除不需要的附件",
  ],
  ["delete attachments that are not needed", "请删除不需要的附件"],
  [
    "with them {host} lists more than {most#} attachments for one image (setting MAX_TAGS): delete attachments " +
      "that are not needed, or raise the setting if that is right",
    "加上它们，{host} 为一个镜像列出的附件超过 {most#} 个（设置 MAX_TAGS）：请删除不需要的附件；如果数量无误，请提高该设置",
  ],
  [
    "with them the lists of {host} for one image have more than the {bytes#} bytes that are accepted: " +
      "delete attachments that are not needed",
    "加上它们，{host} 为一个镜像列出的附件清单超过允许的 {bytes#} 字节：请删除不需要的附件",
  ],
  [
    "{host} lists attachments of attachments at more than the {levels#} levels that are copied: " +
      "delete attachments that are not needed",
    "{host} 列出的附件的附件超过可复制的 {levels#} 层：请删除不需要的附件",
  ],
  [
    "index {index} lies below {levels#} other indexes, more are not copied: " +
      "push the image with fewer levels of indexes",
    "索引 {index} 位于 {levels#} 层其他索引之下，超过可复制的层数：请以更少的索引层数推送该镜像",
  ],
  [
    "the packument at {place} is too large: {reason…}: delete versions there that are not needed",
    "{place} 的包文档过大：{reason…}：请在该处删除不需要的版本",
  ],
  [
    "its document is too large: {reason…}: leave this version out",
    "其文档过大：{reason…}：请不要复制此版本",
  ],
  [
    "its bytes have the digest {found}, not {wanted}: the copy there is corrupt; push it again",
    "其内容的摘要是 {found}，而不是 {wanted}：该处的副本已损坏；请重新推送",
  ],
  [
    "its media type {type} is not supported; push it again as an OCI or Docker v2 image",
    "不支持其媒体类型 {type}；请以 OCI 或 Docker v2 镜像重新推送",
  ],
  ["{what} cannot be read: {reason…}", "无法读取 {what}：{reason…}"],
  ["not JSON", "不是 JSON"],
  ["not a JSON object", "不是 JSON 对象"],
  ["{field} must be a list", "{field} 必须是列表"],
  [
    "{field} must be a descriptor with mediaType, digest and size",
    "{field} 必须是含有 mediaType、digest 和 size 的描述符",
  ],
  [
    "{field} must be sha256: and 64 lower-case hex digits, or sha512: and 128",
    "{field} 必须是 sha256: 加 64 位小写十六进制数字，或 sha512: 加 128 位",
  ],
  ["{field} must be a number of bytes", "{field} 必须是字节数"],
  [
    "{host} stored it as {found} instead of {wanted}",
    "{host} 将其存为 {found}，而不是 {wanted}",
  ],
  ["{host} stored it as {found}", "{host} 将其存为 {found}"],
  [
    "{what} is not in the registry {host}: it was deleted, or its name is wrong",
    "外部仓库 {host} 中没有 {what}：它已被删除，或名称有误",
  ],
  [
    "the registry's url must be http(s)://host[:port][/namespace], without credentials or query",
    "外部仓库的 url 必须是 http(s)://host[:port][/namespace]，不含凭据和查询参数",
  ],
  [
    "{host} demands a token but names no valid realm to fetch the token from: " +
      "repair the WWW-Authenticate header of the registry",
    "{host} 要求令牌，但没有给出获取令牌的有效 realm：请修复该仓库的 WWW-Authenticate 头",
  ],
  [
    "{host} demands the password at another place, {realm…}, which was not accepted, so the password is not sent: " +
      "if that is the registry's token server, add this address to acceptedRealms of the cluster or linked repository",
    "{host} 要求把密码发送到其他地址 {realm…}，该地址未被接受，因此未发送密码：" +
      "如果它是该仓库的令牌服务器，请将其加入集群或远程仓库的 acceptedRealms",
  ],
  [
    "{host} demands the password at {realm}, without TLS, so the password is not sent: give the token server https",
    "{host} 要求把密码发送到 {realm}，该处没有 TLS，因此未发送密码：请为令牌服务器启用 https",
  ],
  [
    "the answer of the token server has no token: check the realm that the registry names",
    "令牌服务器的应答没有令牌：请检查该仓库给出的 realm",
  ],
  [
    "the token of the token server has more than {count#} letters: check the realm that the registry names",
    "令牌服务器的令牌超过 {count#} 个字符：请检查该仓库给出的 realm",
  ],
  [
    "the registry refused to answer {count#} such requests; the most recent refusal: {reason…}",
    "外部仓库拒绝应答 {count#} 个此类请求；最近一次拒绝：{reason…}",
  ],
  [
    "cannot tell whether {what} exists at {host}, so it is written only with the conflict strategy OVERWRITE: " +
      "{reason…}",
    "无法判断 {host} 上是否有 {what}，因此只有冲突策略为 OVERWRITE 时才写入：{reason…}",
  ],
  [
    "{host} accepted an upload but named no address for it (no Location header): is it an OCI registry, or does a " +
      "proxy remove headers?",
    "{host} 接受了上传，但没有给出其地址（没有 Location 头）：它是 OCI 仓库吗，或者有代理删除了响应头？",
  ],
];
