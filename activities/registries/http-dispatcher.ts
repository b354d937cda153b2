import { Agent, buildConnector, EnvHttpProxyAgent, type Dispatcher } from "undici";
import type { AddressGuard } from "./addresses.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const CONNECTIONS = 32;

export type DispatcherOptions = {
  /** PEM of the CA (or of the server itself) that signs the endpoint's certificate. */
  certificate?: string | null | undefined;
  insecureSkipVerify?: boolean | undefined;
  /**
   * `url` and `noProxy`: the settings HTTPS_PROXY and NO_PROXY. The proxy resolves host names itself,
   * so only literal addresses can be refused.
   */
  proxy?: { url: string; noProxy: string } | null | undefined;
  connectTimeoutMs?: number | undefined;
};

/** Opens a pool of connections. `lookup` resolves names; `idleMs`: how long an open request may be silent. */
export function createDispatcher(
  options: DispatcherOptions,
  lookup: AddressGuard["lookup"],
  idleMs: number,
): Dispatcher {
  const tls = {
    ...(typeof options.certificate === "string" ? { ca: options.certificate } : {}),
    rejectUnauthorized: options.insecureSkipVerify !== true,
  };
  const timeout = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  const agentOptions: Agent.Options = {
    connect: buildConnector({ ...tls, timeout, lookup } as buildConnector.BuildOptions),
    connections: CONNECTIONS,
    pipelining: 1,
    headersTimeout: idleMs,
    bodyTimeout: idleMs,
  };
  if (!options.proxy) return new Agent(agentOptions);
  // Set each option, if necessary to an empty string: undici reads the environment variable of an absent option.
  const { url, noProxy } = options.proxy;
  return new EnvHttpProxyAgent({
    ...agentOptions,
    httpProxy: "",
    httpsProxy: url,
    noProxy,
    requestTls: { ...tls, timeout },
  });
}
