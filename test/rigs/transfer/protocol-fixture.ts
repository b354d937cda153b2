import { SYNC_PREFIX } from "../../../domain/sync.ts";
import { ADMIN, basic } from "../api/api-fixture.ts";

export const LOGIN = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };
export const JSON_TYPE = { "content-type": "application/json" };

export type ProtocolAnswer = {
  status: number;
  code: number;
  message: string | null;
  data: unknown;
};

/** Calls the replication protocol of an instance; `path` is relative to the protocol's prefix. */
export async function callProtocol(
  { url }: { url: string },
  method: string,
  path: string,
  body?: Uint8Array | string,
  headers: Record<string, string> = JSON_TYPE,
): Promise<ProtocolAnswer> {
  const answer = await fetch(`${url}${SYNC_PREFIX}${path}`, {
    method,
    headers: { ...LOGIN, ...headers },
    ...(body === undefined ? {} : { body }),
  });
  const envelope = (await answer.json()) as Omit<ProtocolAnswer, "status">;
  return { ...envelope, status: answer.status };
}

/** Creates a hosted repository of the project `copies`. */
export function createRepository(
  target: { url: string },
  repoName: string,
  type: string,
): Promise<ProtocolAnswer> {
  return callProtocol(
    target,
    "POST",
    `/repositories/copies/${repoName}`,
    JSON.stringify({ type }),
  );
}
