import type { Endpoint } from "../../domain/worker-messages.ts";
import type { BatchDeps } from "./work.ts";

export type OpenedEndpoint = ReturnType<typeof openEndpoint>;

/** An end with its credentials in the clear; these never leave this process but to that end. */
export function openEndpoint({ sealer, network }: Pick<BatchDeps, "sealer" | "network">, { secret, sealedFor, ...endpoint }: Endpoint) {
  const opened = secret ? (JSON.parse(sealer.open(secret, sealedFor)) as { password?: string; token?: string }) : {};
  return { ...endpoint, password: opened.password ?? null, token: opened.token ?? null, ...network };
}
