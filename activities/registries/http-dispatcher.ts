import { Agent, buildConnector, EnvHttpProxyAgent, type Dispatcher } from "undici";
import type { AddressGuard } from "./addresses.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const CONNECTIONS = 32;

export type DispatcherOptions = {
  /** PEM of the CA that signs the certificate of the end, or of that certificate itself. */
  certificate?: string | null | undefined;
  insecureSkipVerify?: boolean | undefined;
  /**
   * The settings HTTPS_PROXY (`url`) and NO_PROXY (`noProxy`), for requests by https. The proxy resolves host
   * names itself, so of the addresses behind it only literal ones can be refused.
   */
  proxy?: { url: string; noProxy: string } | null | undefined;
  connectTimeoutMs?: number | undefined;
};

/**
 * Opens a pool of connections. `lookup` resolves host names, except for requests through the proxy; `idleMs`:
 * how long (ms) an open request may be silent.
 */
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
