import type { TransferError } from "../../../domain/failure.ts";
import { text } from "../../../domain/text.ts";
import {
  answering,
  attempt,
  because,
  hurried,
  no,
  NOTHING_TRIED,
  refusedLogin,
  unreached,
  yes,
} from "../check.ts";
import type { End } from "../contract.ts";
import type { Check, CheckUse } from "../../../domain/check.ts";
import { type GivenLogin, givenLogin } from "../login.ts";
import { createInstanceClient } from "./client.ts";
import { instanceUrl } from "./wire.ts";

/** Checks another instance and its login; only instances that replicate to each other know the question. */
export async function check(
  end: End,
  _use: CheckUse,
  signal: AbortSignal,
): Promise<Check> {
  const { host } = instanceUrl(end.url);
  const client = createInstanceClient(end);
  try {
    const { value, error } = await attempt(() => client.capabilities(signal), signal);
    if (error) return failed(host, error, givenLogin(end));
    return {
      reachable: answering(host),
      product: yes(
        text(
          `${host} is the instance ${value.name} of this product`,
          `${host} 是本产品的实例 ${value.name}`,
        ),
      ),
      authenticated: yes(text(`${host} accepts the login`, `${host} 接受该凭据`)),
      allowed: yes(text(`${value.name} accepts replication`, `${value.name} 接受同步`)),
    };
  } finally {
    await client.close();
  }
}

/** Returns the step at which an instance failed, by the kind of its failure. */
function failed(host: string, error: TransferError, given: GivenLogin): Check {
  const { kind } = error;
  const reachable = answering(host);
  if (kind === "throttled") return hurried(host);
  if (kind === "auth") {
    const authenticated = refusedLogin(host, given, error);
    return { ...NOTHING_TRIED, reachable, authenticated };
  }
  if (kind !== "unsupported" && kind !== "notFound")
    return { ...NOTHING_TRIED, reachable: unreached(host, error) };
  const product = no(
    because(
      text(
        `${host} answers, but not as an instance of this release does: check the url; a registry is a cluster of ` +
          "type REMOTE, and both instances need releases that understand each other",
        `${host} 有应答，但不是兼容版本的实例：请检查 url；镜像仓库等外部仓库应添加为 REMOTE 集群，` +
          "并且两个实例的版本必须兼容",
      ),
      error,
    ),
  );
  return { ...NOTHING_TRIED, reachable, product };
}
