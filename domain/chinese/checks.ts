import type { Sayings } from "./sayings.ts";

/**
 * The reasons for which a check of a cluster fails, which are stored in English, with their Chinese: those of
 * api/clusters/verdict.ts and of the checks in activities/registries/.
 */
export const CHECK_SAYINGS: Sayings = [
  [
    "each test of this cluster has ended the service, so it is tested once a day only: check what answers at its " +
      "address, then call cluster/tryConnect",
    "每次测试此集群都会使服务退出，因此每天只测试一次：请检查该地址的应答方，然后调用 cluster/tryConnect",
  ],
  ["not reachable: {reason…}", "无法访问：{reason…}"],
  ["not the right product: {reason…}", "产品不符：{reason…}"],
  ["not authenticated: {reason…}", "认证失败：{reason…}"],
  ["not allowed: {reason…}", "没有权限：{reason…}"],
  [
    "{host} answers, but neither as an image registry (OCI) nor as an npm registry does: check host, port and " +
      "path of the url; another instance of this product is a cluster of type CENTER, EDGE or STANDALONE; a registry " +
      "that speaks another protocol needs the field protocol and ping false",
    "{host} 有应答，但既不是镜像仓库（OCI）也不是 npm 仓库：请检查 url 的主机、端口和路径；" +
      "本产品的其他实例应添加为 CENTER、EDGE 或 STANDALONE 集群；使用其他协议的仓库需要设置 protocol 并以 ping false 添加",
  ],
  [
    "this release cannot test clusters that speak {protocol}: attach the cluster with ping false",
    "此版本无法测试使用协议 {protocol} 的集群：请以 ping false 添加集群",
  ],
  [
    "{host} answers, but not as an image registry does ({reason…}): check host, port and path of the url, " +
      "and the protocol",
    "{host} 有应答，但不是镜像仓库（{reason…}）：请检查 url 的主机、端口和路径，以及 protocol",
  ],
  [
    "{host} answers, but not as an npm registry does (a missing package was answered {status}, without JSON " +
      "about packages): check host, port and path of the url, and the protocol",
    "{host} 有应答，但不是 npm 仓库（对不存在的包应答了 {status}，且不是关于包的 JSON）：" +
      "请检查 url 的主机、端口和路径，以及 protocol",
  ],
  [
    "{host} answers, but not as an instance of this release does: check the url; a registry is a cluster of " +
      "type REMOTE, and both instances need releases that understand each other ({reason…})",
    "{host} 有应答，但不是兼容版本的实例：请检查 url；外部仓库应添加为 REMOTE 集群，" +
      "两个实例的版本必须能相互理解（{reason…}）",
  ],
  [
    "{host} does not let this login push to {name}: give it the right to push there, or correct the path " +
      "of the url. Where it may push to some repositories below only, attach the cluster with ping false ({reason…})",
    "{host} 不允许该凭据推送到 {name}：请授予推送权限，或更正 url 的路径。" +
      "如果它只能推送到其下的部分镜像，请以 ping false 添加集群（{reason…}）",
  ],
  [
    "{host} takes no uploads: check whether it is read-only, a cache of another registry, or out of order ({reason…})",
    "{host} 不接受上传：请检查它是否只读、是否是其他仓库的缓存，或是否发生故障（{reason…}）",
  ],
  [
    "the login to {host} does not work: check the registry and its token server ({reason…})",
    "无法登录 {host}：请检查该仓库及其令牌服务器（{reason…}）",
  ],
  [
    "{host} demands a login, and none was given: set username and password, or token",
    "{host} 需要登录，但未提供凭据：请设置 username 和 password，或 token",
  ],
  [
    "{host} does not accept the login: check username and password, or token ({reason…})",
    "{host} 不接受该凭据：请检查 username 和 password，或 token（{reason…}）",
  ],
  [
    "{host} does not accept the login, which has a username and no password: set password, or token",
    "{host} 不接受该凭据，其中有 username 但没有 password：请设置 password 或 token",
  ],
  [
    "{host} answers too slowly: the test was not done within {seconds} s. Servers delay wrong logins: check username " +
      "and password, or token, and the network between",
    "{host} 应答过慢：测试未能在 {seconds} 秒内完成。服务器会延迟应答错误的凭据：请检查 username 和 password，或 token，" +
      "以及其间的网络",
  ],
  [
    "GET /v2/ was answered {status} with a page for browsers",
    "GET /v2/ 得到的应答是 {status}，内容是网页",
  ],
  ["GET /v2/ was answered {status}", "GET /v2/ 得到的应答是 {status}"],
  ["it says that a manifest exists which cannot exist", "它声称一个不可能存在的清单存在"],
  [
    "it accepted an upload but named no address for it, the header Location",
    "它接受了上传，但没有给出上传地址（响应头 Location）",
  ],
  [
    "it answered {status} to the beginning of an upload",
    "对开始上传的请求应答了 {status}",
  ],
  ["it answered {status}", "它应答了 {status}"],
  [
    "{host} does not know this login: check username and password, or token",
    "{host} 不认识该凭据：请检查 username 和 password，或 token",
  ],
];
