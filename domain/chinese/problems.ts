import type { Sayings } from "./sayings.ts";

/** The sentences of problems and alerts with their Chinese. */
export const PROBLEM_SAYINGS: Sayings = [
  // What is wrong (api/metrics/readings.ts, domain/trouble.ts).
  [
    "task {name} should have run {time} ago, and has not begun",
    "任务 {name} 本应在 {time} 前运行，但尚未开始",
  ],
  [
    "the run of task {name} (record {id}, begun {begun} ago) has had no outcome and moved no byte for {time}",
    "任务 {name} 的运行（记录 {id}，{begun} 前开始）已有 {time} 没有结果，也没有传输数据",
  ],
  [
    "{reason…}; {count} artifacts wait to be tried again, one because: {reason…2}",
    "{reason…}；{count} 个制品等待重试，其中一个的原因：{reason…2}",
  ],
  [
    "{reason…}; {count} artifacts wait to be tried again",
    "{reason…}；{count} 个制品等待重试",
  ],
  [
    "the run of task {name} (record {id}) does not go on: {reason…}",
    "任务 {name} 的运行（记录 {id}）无法继续：{reason…}",
  ],
  [
    "a firing of task {name} cannot begin: {reason…}",
    "任务 {name} 的一次触发无法开始：{reason…}",
  ],
  [
    "its code fails; install a release that does not fail there, and the firing goes on",
    "其代码出错；请安装没有此错误的版本，触发随后会继续",
  ],
  [
    "cluster {name} lacks an upload of {time} ago that task {task} sends there in REAL_TIME; {reason…}",
    "集群 {name} 缺少 {time} 前的一次上传，任务 {task} 以 REAL_TIME 发送它；{reason…}",
  ],
  [
    "cluster {name} lacks an upload of {time} ago that task {task} sends there in REAL_TIME",
    "集群 {name} 缺少 {time} 前的一次上传，任务 {task} 以 REAL_TIME 发送它",
  ],
  ["{count} artifacts wait for another try", "{count} 个制品等待重试"],
  ["the cluster: {reason…}", "集群：{reason…}"],
  [
    "cluster {name} ({url}) cannot be used: {reason…}",
    "集群 {name}（{url}）无法使用：{reason…}",
  ],
  [
    "cluster {name} ({url}) refuses our credentials: {reason…}",
    "集群 {name}（{url}）拒绝我们的凭据：{reason…}",
  ],
  ["no reason is known", "原因未知"],
  ["cluster {name} answers slowly", "集群 {name} 应答缓慢"],
  ["Temporal does not answer", "Temporal 没有应答"],
  ["the orchestrator does not run", "编排进程没有运行"],
  [
    "no transfer worker polls for work, here or elsewhere",
    "此处和其他机器上都没有传输工作进程在领取任务",
  ],
  [
    "the transfer worker {worker} is given no work: {reason…}",
    "传输工作进程 {worker} 得不到任务：{reason…}",
  ],
  ["its clock is off", "其时钟不准"],
  ["its WORKER_TOKEN is not one of this instance", "它的 WORKER_TOKEN 不属于本实例"],
  ["its release cannot work with this one", "其版本与此版本不兼容"],
  [
    "{subject} was lost with its worker {deaths} times, the last time {time} ago",
    "{subject} 随其工作进程丢失了 {deaths} 次，最近一次在 {time} 前",
  ],
  [
    "{free} of {size} are free on the disk with DATA_DIR, less than the {wanted} wanted",
    "DATA_DIR 所在磁盘共 {size}，剩余 {free}，少于所需的 {wanted}",
  ],
  [
    "the content of {files} is missing in the store ({digest})",
    "{files} 的内容在存储中缺失（{digest}）",
  ],
  [
    "the content of {files} is damaged in the store, so it is in the quarantine ({digest})",
    "{files} 的内容在存储中已损坏，因此已移入隔离区（{digest}）",
  ],
  [
    "{count} more contents are missing or damaged in the store",
    "存储中另有 {count} 个内容缺失或已损坏",
  ],
  [
    "{free} of {size} are free on the disk with DATA_DIR, less than the {reserve} of DISK_RESERVE: uploads are refused",
    "DATA_DIR 所在磁盘共 {size}，剩余 {free}，少于 DISK_RESERVE 的 {reserve}：上传被拒绝",
  ],
  [
    "{count} artifacts of task {name} differ at cluster {cluster} and were left alone there (conflictStrategy SKIP)",
    "任务 {name} 的 {count} 个制品在集群 {cluster} 上内容不同，已按 conflictStrategy SKIP 保留原样",
  ],
  [
    "Workflow {id} cannot go on since {since}; its code has failed {count} times in the same place: {reason…}. " +
      "Install a release that does not fail there; or stop the task, which ends the run, and " +
      "execute it again: finished artifacts are not sent again.",
    "工作流 {id} 自 {since} 起无法继续；其代码已在同一处失败 {count} 次：{reason…}。" +
      "请安装没有此错误的版本；或停止任务以结束运行，然后重新执行：已完成的制品不会再次发送。",
  ],
  [
    "{activity} of workflow {id} has failed since {since}: {reason…}. Attempt {count} is under way; " +
      "it is retried until it succeeds: remove the cause, or stop the " +
      "task and execute it again: finished artifacts are not sent again.",
    "工作流 {id} 的 {activity} 自 {since} 起失败：{reason…}。正在进行第 {count} 次尝试，会一直重试到成功：" +
      "请消除原因，或停止任务并重新执行：已完成的制品不会再次发送。",
  ],
  // What to do (domain/alerts.ts).
  [
    "Check whether Temporal and the orchestrator are up (/health/ready) and whether the task's schedule is paused " +
      "in Temporal's UI. Execute the task by hand to catch up.",
    "请检查 Temporal 和编排进程是否正常（/health/ready），以及任务的定时计划是否在 Temporal 界面中被暂停。可手动执行任务以补上。",
  ],
  [
    "Check the last reason in the run's details, and whether its target answers and transfer workers are up. Stop " +
      "the task and execute it again once the cause is removed: finished artifacts are not sent again.",
    "请查看运行明细中的最后原因，并检查目标是否应答、传输工作进程是否正常。消除原因后停止任务并重新执行：已完成的制品不会再次发送。",
  ],
  [
    "The run cannot go on without help. Stop its task: the record is closed with the results so far, and the task " +
      "can be executed again. Keep the record's problem for a report.",
    "运行需要人工处理才能继续。请停止其任务：记录会以目前的结果关闭，任务可以重新执行。请保留记录的 problem 以便反馈。",
  ],
  [
    "Check the cluster's errorReason and the task's newest records for the cluster. Nothing is lost: waiting " +
      "uploads are sent as soon as the cluster accepts them.",
    "请查看集群的 errorReason 和任务在该集群上的最新记录。不会丢失任何内容：集群恢复接受后，等待的上传会立即发送。",
  ],
  [
    "Check the other end, its certificate, and the network between. Runs to it retry for RETRY_WINDOW; other " +
      "clusters are not affected.",
    "请检查对端、其证书以及之间的网络。发往它的运行会在 RETRY_WINDOW 内重试；其他集群不受影响。",
  ],
  [
    "The cluster answers, but slowly; its runs get fewer slots so that others are not delayed. Check its load and " +
      "the network between.",
    "集群有应答，但很慢；为不拖延其他集群，它的运行得到较少的并发。请检查其负载和之间的网络。",
  ],
  [
    "The user name, password or token of the cluster is no longer valid. Save the cluster with valid ones; nothing " +
      "is sent to it until then. Uploads that a REAL_TIME task could not send meanwhile are not sent later: upload " +
      "them again, or run a SCHEDULED task once.",
    "集群的用户名、密码或 token 已失效。请用有效的凭据保存集群；在此之前不会向它发送任何内容。REAL_TIME 任务在此期间未能发送的上传以后也不会发送：请重新上传，或执行一次 SCHEDULED 任务。",
  ],
  [
    "Nothing is replicated until the process is back. Check the log of the service; a transfer worker may also run " +
      "elsewhere (npm run worker), or TRANSFER_WORKERS may be 0.",
    "该进程恢复之前不会同步任何内容。请查看服务的日志；传输工作进程也可以在其他机器上运行（npm run worker），或者 TRANSFER_WORKERS 为 0。",
  ],
  [
    "Set the clock of the worker's machine, give it a WORKER_TOKEN of this instance, or install this release on " +
      "it, as the reason says; until then it takes no work.",
    "请按原因校准该机器的时钟、为其设置本实例的 WORKER_TOKEN，或在其上安装此版本；在此之前它不领取任务。",
  ],
  [
    "A batch was lost with its worker more than once. Check the log for why workers end (memory, a crash); the " +
      "artifact that causes it is found automatically and fails alone.",
    "一个批次不止一次随工作进程丢失。请从日志中查找工作进程结束的原因（内存、崩溃）；造成问题的制品会被自动找出并单独失败。",
  ],
  [
    "Delete what is not needed and have its space collected (POST /repository/api/store/collect), or move DATA_DIR " +
      "to a larger disk. Below DISK_RESERVE uploads are refused with 507; on a full disk runs wait as well. Nothing " +
      "is damaged.",
    "请删除不需要的内容并回收其空间（POST /repository/api/store/collect），或把 DATA_DIR 移到更大的磁盘。" +
      "低于 DISK_RESERVE 时，上传会以 507 拒绝；磁盘满时，运行也会等待。不会损坏任何内容。",
  ],
  [
    "Upload the named files again, or replicate them here again; deleting them ends the problem, too. What is " +
      "wrong is kept below DATA_DIR/quarantine meanwhile. Check the disk: it lost or changed bytes.",
    "请重新上传所列文件，或重新同步到此处；删除它们也会结束此问题。错误的内容在此期间保存在 DATA_DIR/quarantine 下。请检查磁盘：它丢失或更改了数据。",
  ],
  [
    "The target has other content under the same names, and conflictStrategy SKIP left it there: the ends differ. " +
      "Check the details with conflict, then replace the content with OVERWRITE or remove it at one end.",
    "目标在相同名称下有不同的内容，conflictStrategy SKIP 保留了它：两端不一致。请查看有冲突的明细，然后用 OVERWRITE 替换内容，或在一端删除。",
  ],
  [
    "the password of the administrator is easy to guess: {reason…}",
    "管理员的密码容易被猜到：{reason…}",
  ],
  ["it has fewer than {number#} characters", "少于 {number#} 个字符"],
  ["it has fewer than {number#} different characters", "不同的字符少于 {number#} 个"],
  ["it is the user name with something around", "它只是用户名的变形"],
  ["it is one of those that are tried first", "它是最先被尝试的密码之一"],
  [
    "Set ADMIN_PASSWORD to one of 12 or more characters, start the service again, and save the new password in the " +
      "clusters of other instances that lead here.",
    "请把 ADMIN_PASSWORD 设为 12 个或更多字符，重新启动服务，并在指向本实例的其他实例的集群中保存新密码。",
  ],
  ["the certificate of the API ends in {time}", "API 的证书将在 {time} 后到期"],
  ["the certificate of the API ended {time} ago", "API 的证书已于 {time} 前到期"],
  [
    "the changed certificate cannot be used: {reason…}",
    "更改后的证书无法使用：{reason…}",
  ],
  [
    "Have the certificate renewed and put it, with its key, into the files of TLS_CERT_PATH and TLS_KEY_PATH: they " +
      "are read again without a restart. Clients refuse a certificate that has ended.",
    "请更新证书，并与其私钥一起放入 TLS_CERT_PATH 和 TLS_KEY_PATH 所指的文件：无需重启即会重新读取。客户端会拒绝已到期的证书。",
  ],
  [
    "The certificate that was read before stays in use until it ends. Correct the files of TLS_CERT_PATH and " +
      "TLS_KEY_PATH, which are read again within a minute: before that the service does not start again.",
    "之前读取的证书在到期前继续使用。请更正 TLS_CERT_PATH 和 TLS_KEY_PATH 所指的文件，它们会在一分钟内重新读取；在此之前服务无法重新启动。",
  ],
  [
    "{variable} {path} cannot be read ({code}): name a PEM file that the service may read",
    "{variable} {path} 无法读取（{code}）：请指定服务可读取的 PEM 文件",
  ],
  [
    "{variable} {path} is not a file: name a PEM file",
    "{variable} {path} 不是文件：请指定 PEM 文件",
  ],
  [
    "{variable} {path} is larger than 1 MiB: name a PEM file",
    "{variable} {path} 大于 1 MiB：请指定 PEM 文件",
  ],
  [
    "TLS_CERT_PATH {path} has no certificate in PEM: name a file with -----BEGIN CERTIFICATE-----",
    "TLS_CERT_PATH {path} 中没有 PEM 格式的证书：请指定含有 -----BEGIN CERTIFICATE----- 的文件",
  ],
  [
    "TLS_CERT_PATH {path} begins with another certificate than the server's: " +
      "put the server's first, its intermediates behind it",
    "TLS_CERT_PATH {path} 的第一个证书不是服务器的证书：请把服务器的证书放在最前，中间证书放在其后",
  ],
  [
    "TLS_KEY_PATH {path} does not fit the certificate of TLS_CERT_PATH {other}: " +
      "name the certificate and the key that were made for each other",
    "TLS_KEY_PATH {path} 与 TLS_CERT_PATH {other} 的证书不匹配：请指定相互对应的证书和私钥",
  ],
  [
    "TLS_CERT_PATH {path} cannot be used: {words…}: have a certificate made that OpenSSL accepts",
    "TLS_CERT_PATH {path} 无法使用：{words…}：请签发 OpenSSL 接受的证书",
  ],
  [
    "TLS_KEY_PATH {path} is protected by a passphrase: name a key without one, " +
      "as `openssl pkey -in protected.pem -out key.pem` writes it",
    "TLS_KEY_PATH {path} 受密码保护：请指定没有密码的私钥，可用 `openssl pkey -in protected.pem -out key.pem` 生成",
  ],
  [
    "TLS_KEY_PATH {path} has no private key in PEM: name a file with -----BEGIN PRIVATE KEY-----",
    "TLS_KEY_PATH {path} 中没有 PEM 格式的私钥：请指定含有 -----BEGIN PRIVATE KEY----- 的文件",
  ],
];
