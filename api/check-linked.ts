import type { HttpOptions } from "../activities/registries/http.ts";
import { createOciRegistry } from "../activities/registries/oci/registry.ts";
import type { ApiDeps, LinkedAccess, LinkedAnswer, LinkedCheck } from "./deps.ts";

const PATIENCE_MS = 20_000;

/** Tests the registry behind a linked repository, as a transfer would use it. */
export function createLinkedCheck(network: Pick<HttpOptions, "allowedAddresses" | "proxy">): ApiDeps["checkLinked"] {
  return async (access) => {
    if (access.type !== "DOCKER" && access.type !== "OCI") return untested(access);
    const { type: _type, ...end } = access;
    const registry = createOciRegistry({ ...end, ...network });
    try {
      return await registry.check({ name: null, push: false }, AbortSignal.timeout(PATIENCE_MS));
    } catch {
      return late();
    } finally {
      await registry.close();
    }
  };
}

function untested({ type }: LinkedAccess): LinkedCheck {
  const answer: LinkedAnswer = { ok: null, message: `linked repositories of type ${type} cannot be tested yet` };
  return { reachable: answer, authenticated: answer, allowed: answer };
}

/** The check itself throws only when its time is up. */
function late(): LinkedCheck {
  const answer: LinkedAnswer = { ok: null, message: "not tried" };
  return { reachable: { ok: false, message: `no complete answer within ${PATIENCE_MS / 1000} seconds` }, authenticated: answer, allowed: answer };
}
