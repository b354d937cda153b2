import { TransferError } from "../../domain/failure.ts";
import type { Endpoint } from "../../domain/worker-messages.ts";
import type { End } from "../registries/contract.ts";
import type { Pace } from "../registries/pace.ts";
import type { BatchDeps } from "./context.ts";

/**
 * Returns an end with its credentials unsealed. The unsealed credentials leave this process only in
 * requests to that end, or to the token service that it names.
 */
export function openEndpoint(
  { sealer, network }: Pick<BatchDeps, "sealer" | "network">,
  endpoint: Endpoint,
  namespace: string,
  pace: Pace,
): End {
  const { secret, sealedFor, url, username, certificate, insecureSkipVerify } = endpoint;
  const opened = secret ? credentials(() => sealer.open(secret, sealedFor), url) : {};
  return {
    url,
    namespace,
    username,
    certificate,
    insecureSkipVerify,
    password: opened.password ?? null,
    token: opened.token ?? null,
    ...network,
    pace,
  };
}

/**
 * Parses unsealed credentials; throws `invalid` when they cannot be unsealed. The cast is safe: `open`
 * succeeds only for a text that the API has sealed.
 */
function credentials(
  open: () => string,
  url: string,
): { password?: string; token?: string } {
  try {
    return JSON.parse(open()) as { password?: string; token?: string };
  } catch (error) {
    throw new TransferError(
      "invalid",
      `the stored credentials of ${url} were sealed with another secret key: enter them again`,
      { cause: error },
    );
  }
}
