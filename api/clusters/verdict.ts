import { CHECK_STEPS, type Check, type CheckStep } from "../../domain/check.ts";
import { text, type Text } from "../../domain/text.ts";
import type { ClusterProblem } from "../deps.ts";

/** How a reason names the step that failed. */
const FAILED = {
  reachable: text("not reachable", "无法访问"),
  product: text("not the right product", "产品不符"),
  authenticated: text("not authenticated", "认证失败"),
  allowed: text("not allowed", "没有权限"),
} as const satisfies Record<CheckStep, Text>;

/** Returns the problem of a cluster whose test failed at `step`, for the reason `why`. */
export const failedAt = (step: CheckStep, why: Text): ClusterProblem => ({
  reason: text(`${FAILED[step].en}: ${why.en}`, `${FAILED[step].zh}：${why.zh}`),
  refused: step === "authenticated",
});

/** Returns the first step that failed, as a problem; null if none did. */
export function problemOf(check: Check): ClusterProblem | null {
  const step = CHECK_STEPS.find((each) => check[each].ok === false);
  return step === undefined ? null : failedAt(step, check[step].message);
}

/** The problem of a server that speaks neither of the protocols which a cluster without `protocol` may have. */
export const neitherProduct = (host: string): ClusterProblem =>
  failedAt(
    "product",
    text(
      `${host} answers, but neither as an image registry (OCI) nor as an npm registry does: check host, port and ` +
        "path of the url; another instance of this product is a cluster of type CENTER, EDGE or STANDALONE; a " +
        "registry that speaks another protocol needs the field protocol and ping false",
      `${host} 有应答，但既不是镜像仓库（OCI）也不是 npm 仓库：请检查 url 的主机、端口和路径；` +
        "本产品的其他实例应添加为 CENTER、EDGE 或 STANDALONE 集群；使用其他协议的仓库需要设置 protocol 并以 ping false 添加",
    ),
  );

/** The problem of a cluster whose protocol this release does not speak. */
export const untestable = (protocol: string): ClusterProblem =>
  failedAt(
    "product",
    text(
      `this release cannot test clusters that speak ${protocol}: attach the cluster with ping false`,
      `此版本无法测试使用协议 ${protocol} 的集群：请以 ping false 添加集群`,
    ),
  );

/** The problem of a server that answered some questions, and not all of them in time. */
export const slow = (host: string, ms: number): ClusterProblem => ({
  reason: text(
    `${host} answers too slowly: the test was not done within ${ms / 1000} s. Servers delay wrong logins: check ` +
      "username and password, or token, and the network between",
    `${host} 应答过慢：测试未能在 ${ms / 1000} 秒内完成。服务器会延迟应答错误的凭据：请检查 username 和 password，` +
      "或 token，以及其间的网络",
  ),
  refused: false,
});
