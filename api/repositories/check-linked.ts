import { connectors } from "../../activities/registries/connectors.ts";
import type { Connector } from "../../activities/registries/contract.ts";
import type { HttpOptions } from "../../activities/registries/http.ts";
import { defaultProtocol, protocolOf } from "../../domain/protocols.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import type { ApiDeps, LinkedAccess, LinkedAnswer, LinkedCheck } from "../deps.ts";

const PATIENCE_MS = 20_000;

/**
 * Returns a function that tests the registry behind a linked repository in the way a transfer would
 * use it, within 20 s; the function never rejects.
 */
export function createLinkedCheck(
  network: Pick<HttpOptions, "allowedAddresses" | "proxy">,
): ApiDeps["checkLinked"] {
  return async (access) => {
    const { type, protocol: given, ...end } = access;
    const protocol = protocolOf(type, given, access.url);
    const connector: Connector | null = protocol === null ? null : connectors[protocol];
    if (protocol === null || connector === null) return untested(access);
    try {
      const found = await connector.check(
        { ...end, ...network, namespace: "" },
        AbortSignal.timeout(PATIENCE_MS),
      );
      const reachable = {
        ...found.reachable,
        message: `${found.reachable.message}; by protocol ${protocol}, ${chosenBy(access, protocol)}`,
      };
      return { ...found, reachable };
    } catch {
      return late();
    }
  };
}

function chosenBy({ type, protocol }: LinkedAccess, chosen: Protocol): string {
  if (protocol !== null) return "as the repository says";
  return chosen === defaultProtocol(type)
    ? `the protocol of type ${type}`
    : "as its address says";
}

function untested({ type, protocol }: LinkedAccess): LinkedCheck {
  const speaking = protocol === null ? "" : ` that speak ${protocol}`;
  const answer: LinkedAnswer = {
    ok: null,
    message: `linked repositories of type ${type}${speaking} cannot be tested yet`,
  };
  return { reachable: answer, authenticated: answer, allowed: answer };
}

/**
 * The result of a check of a linked repository that threw, which happens only when it took too
 * long.
 */
function late(): LinkedCheck {
  const answer: LinkedAnswer = { ok: null, message: "not tried" };
  return {
    reachable: {
      ok: false,
      message: `no complete answer within ${PATIENCE_MS / 1000} seconds: check the url and the network between`,
    },
    authenticated: answer,
    allowed: answer,
  };
}
