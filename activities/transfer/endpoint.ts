import { TransferError } from "../../domain/failure.ts";
import type { Endpoint } from "../../domain/worker-messages.ts";
import type { End } from "../registries/contract.ts";
import type { Pace } from "../registries/pace.ts";
import { type BoundCredentials, openCredentials } from "../secrets/credentials.ts";
import type { BatchDeps } from "./context.ts";

/**
 * Returns an end with its credentials unsealed. The unsealed credentials leave this process only in
 * requests to that end, or to a token realm that was accepted for it.
 */
export function openEndpoint(
  {
    sealer,
    network,
    controlPlane,
  }: Pick<BatchDeps, "sealer" | "network" | "controlPlane">,
  recordId: string,
  endpoint: Endpoint,
  namespace: string,
  pace: Pace,
): End {
  const { secret, sealedFor, url, username, certificate, insecureSkipVerify } = endpoint;
  if (endpoint.unreadable === true) throw unreadable(url);
  const opened = secret
    ? open(() => openCredentials(sealer, sealedFor, url, secret), url)
    : null;
  return {
    url,
    namespace,
    username,
    certificate,
    insecureSkipVerify,
    password: opened?.password ?? null,
    token: opened?.token ?? null,
    realms: opened?.realms ?? null,
    onRealm: ({ realm, verdict, isGood }) => {
      if (verdict === "first" && isGood)
        void controlPlane.metRealm({ recordId, sealedFor, url, realm });
    },
    ...network,
    pace,
  };
}

function open(opening: () => BoundCredentials, url: string): BoundCredentials {
  try {
    return opening();
  } catch (error) {
    throw unreadable(url, error);
  }
}

const unreadable = (url: string, cause?: unknown): TransferError =>
  new TransferError(
    "invalid",
    `the stored credentials of ${url} cannot be opened, or were sealed for another address: enter them again`,
    { cause },
  );
