import { connectors } from "../../activities/registries/connectors.ts";
import { no, NOTHING_TRIED, unknown } from "../../activities/registries/check.ts";
import type { Connector } from "../../activities/registries/contract.ts";
import type { Check } from "../../domain/check.ts";
import type { Network } from "../../activities/registries/http.ts";
import { defaultProtocol, protocolOf } from "../../domain/protocols.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import { text, type Text } from "../../domain/text.ts";
import { UNREADABLE } from "../keys/stored.ts";
import type { ApiDeps, LinkedAccess } from "../deps.ts";

const PATIENCE_MS = 20_000;

/**
 * Returns a function that tests the registry behind a linked repository in the way a transfer would
 * use it, within 20 s; the function never rejects.
 */
export function createLinkedCheck(network: Network): ApiDeps["checkLinked"] {
  return async (access, onRealm) => {
    const { type, protocol: given, acceptedRealms: realms, ...end } = access;
    if (access.unreadable === true)
      return { ...NOTHING_TRIED, authenticated: no(UNREADABLE) };
    const protocol = protocolOf(type, given, access.url);
    const connector: Connector | null = protocol === null ? null : connectors[protocol];
    if (protocol === null || connector === null) return untested(access);
    try {
      const found = await connector.check(
        { ...end, ...network, realms, onRealm, namespace: "" },
        "READ",
        AbortSignal.timeout(PATIENCE_MS),
      );
      const by = chosenBy(access, protocol);
      const { ok, message } = found.reachable;
      const reachable = {
        ok,
        message: text(`${message.en}; ${by.en}`, `${message.zh}；${by.zh}`),
      };
      return { ...found, reachable };
    } catch {
      return { ...NOTHING_TRIED, reachable: no(LATE) };
    }
  };
}

function chosenBy({ type, protocol }: LinkedAccess, chosen: Protocol): Text {
  if (protocol !== null)
    return text(
      `by protocol ${chosen}, as the repository says`,
      `按仓库设置使用协议 ${chosen}`,
    );
  return chosen === defaultProtocol(type)
    ? text(
        `by protocol ${chosen}, the protocol of type ${type}`,
        `使用类型 ${type} 的协议 ${chosen}`,
      )
    : text(`by protocol ${chosen}, as its address says`, `按地址使用协议 ${chosen}`);
}

function untested({ type, protocol }: LinkedAccess): Check {
  const speaking = protocol === null ? "" : ` that speak ${protocol}`;
  const answer = unknown(
    text(
      `linked repositories of type ${type}${speaking} cannot be tested yet`,
      `尚不能测试类型为 ${type}${protocol === null ? "" : `、协议为 ${protocol}`} 的远程仓库`,
    ),
  );
  return { reachable: answer, product: answer, authenticated: answer, allowed: answer };
}

/** Why a check threw, which happens only when it took too long. */
const LATE = text(
  `no complete answer within ${PATIENCE_MS / 1000} seconds: check the url and the network between`,
  `${PATIENCE_MS / 1000} 秒内没有完整的应答：请检查 url 和其间的网络`,
);
