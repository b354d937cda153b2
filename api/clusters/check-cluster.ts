import { connectors } from "../../activities/registries/connectors.ts";
import type { Connector, End } from "../../activities/registries/contract.ts";
import { createHttpClient, type HttpOptions } from "../../activities/registries/http.ts";
import { createInstanceClient } from "../../activities/registries/instance/client.ts";
import { toTransferError } from "../../domain/failure.ts";
import { protocolOfScheme } from "../../domain/protocols.ts";
import { parseRegistryUrl } from "../../domain/reference.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import type { ApiDeps, ClusterAccess, ClusterProblem } from "../deps.ts";

const DEADLINE_MS = 15_000;
/** The statuses of errors: a server that answers with any of them is reachable as well. */
const ANY_STATUS = Array.from({ length: 200 }, (_, i) => 400 + i);

type Options = Pick<HttpOptions, "allowedAddresses" | "proxy">;

/**
 * Returns a function that tests the connection to a cluster within 15 s. The test never throws: an
 * error becomes the reason.
 */
export function createClusterCheck(options: Options): ApiDeps["checkCluster"] {
  return async (access) => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    try {
      return await (access.type === "REMOTE"
        ? checkRegistry(access, options, signal)
        : checkInstance(access, options, signal));
    } catch (error) {
      if (signal.aborted)
        return {
          reason: `no answer within ${DEADLINE_MS / 1000} s: check the url and the network between`,
          refused: false,
        };
      const { kind, message } = toTransferError(error);
      return { reason: message, refused: kind === "auth" };
    }
  };
}

async function checkInstance(
  { type: _type, protocol: _protocol, ...access }: ClusterAccess,
  options: Options,
  signal: AbortSignal,
): Promise<null> {
  const client = createInstanceClient({ ...options, ...access });
  try {
    await client.capabilities(signal);
    return null;
  } finally {
    await client.close();
  }
}

/**
 * Tests a registry by the protocol of the cluster, else by that of its url (s3, file). Without
 * either, any answer suffices; but a registry of images must accept the login, if there is one.
 */
async function checkRegistry(
  { type: _type, protocol, ...access }: ClusterAccess,
  options: Options,
  signal: AbortSignal,
): Promise<ClusterProblem | null> {
  const spoken = protocol ?? protocolOfScheme(access.url);
  const end: End = { ...access, ...options, namespace: "" };
  if (spoken !== null) return checkProtocol(spoken, end, signal);
  await reach(end, signal);
  const hasLogin = access.username !== null || access.token !== null;
  if (!hasLogin || parseRegistryUrl(access.url) === null) return null;
  const { reachable, authenticated } = await connectors.OCI.check(end, signal);
  return reachable.ok === true && authenticated.ok === false
    ? { reason: authenticated.message, refused: true }
    : null;
}

async function checkProtocol(
  protocol: Protocol,
  end: End,
  signal: AbortSignal,
): Promise<ClusterProblem | null> {
  const connector: Connector | null = connectors[protocol];
  if (connector === null)
    return {
      reason: `this release cannot test clusters that speak ${protocol}: attach the cluster with ping false`,
      refused: false,
    };
  const { reachable, authenticated } = await connector.check(end, signal);
  if (reachable.ok === false) return { reason: reachable.message, refused: false };
  return authenticated.ok === false
    ? { reason: authenticated.message, refused: true }
    : null;
}

async function reach(
  { url: text, certificate, insecureSkipVerify, allowedAddresses, proxy }: End,
  signal: AbortSignal,
): Promise<void> {
  const http = createHttpClient({
    certificate,
    insecureSkipVerify,
    allowedAddresses,
    proxy,
  });
  try {
    const url = new URL(text);
    const answer = await http.request({
      method: "GET",
      url,
      what: `registry ${url.host}`,
      accept: ANY_STATUS,
      signal,
    });
    await answer.discard();
  } finally {
    await http.close();
  }
}
