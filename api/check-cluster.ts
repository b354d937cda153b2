import { createHttpClient, type HttpOptions } from "../activities/registries/http.ts";
import { createInstanceClient } from "../activities/registries/instance/client.ts";
import { createOciRegistry } from "../activities/registries/oci/registry.ts";
import { toTransferError } from "../domain/failure.ts";
import { parseRegistryUrl } from "../domain/reference.ts";
import type { ApiDeps, ClusterAccess, ClusterProblem } from "./deps.ts";

const DEADLINE_MS = 15_000;
/** Whatever a server answers, it is reachable. */
const ANY_STATUS = Array.from({ length: 200 }, (_, i) => 400 + i);

type Options = Pick<HttpOptions, "allowedAddresses" | "proxy">;

/** Tests connections to clusters, each within 15 s. Never throws: whatever goes wrong is the reason. */
export function createClusterCheck(options: Options): ApiDeps["checkCluster"] {
  return async (access) => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    try {
      return await (access.type === "REMOTE" ? checkRegistry(access, options, signal) : checkInstance(access, options, signal));
    } catch (error) {
      if (signal.aborted) return { reason: `no answer within ${DEADLINE_MS / 1000} s`, refused: false };
      const { kind, message } = toTransferError(error);
      return { reason: message, refused: kind === "auth" };
    }
  };
}

async function checkInstance({ type: _type, ...access }: ClusterAccess, options: Options, signal: AbortSignal): Promise<null> {
  const client = createInstanceClient({ ...options, ...access });
  try {
    await client.capabilities(signal);
    return null;
  } finally {
    await client.close();
  }
}

/** Any answer will do; with credentials, an image registry must take them. */
async function checkRegistry({ type: _type, ...access }: ClusterAccess, options: Options, signal: AbortSignal): Promise<ClusterProblem | null> {
  const http = createHttpClient({ ...options, certificate: access.certificate, insecureSkipVerify: access.insecureSkipVerify });
  try {
    const url = new URL(access.url);
    const answer = await http.request({ method: "GET", url, what: `registry ${url.host}`, accept: ANY_STATUS, signal });
    await answer.discard();
  } finally {
    await http.close();
  }
  const hasLogin = access.username !== null || access.token !== null;
  return hasLogin && parseRegistryUrl(access.url) !== null ? loginProblem(access, options, signal) : null;
}

async function loginProblem(access: Omit<ClusterAccess, "type">, options: Options, signal: AbortSignal): Promise<ClusterProblem | null> {
  const registry = createOciRegistry({ ...options, ...access });
  try {
    const { reachable, authenticated } = await registry.check({ name: null, push: false }, signal);
    return reachable.ok === true && authenticated.ok === false ? { reason: authenticated.message, refused: true } : null;
  } finally {
    await registry.close();
  }
}
