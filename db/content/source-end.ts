import { and, eq } from "drizzle-orm";
import { protocolOf } from "../../domain/protocols.ts";
import type { Endpoint } from "../../domain/worker-messages.ts";
import type { DbOrTx } from "../open.ts";
import { repository } from "../schema/content.ts";
import { secretOwner } from "./repositories.ts";

/**
 * Returns a linked or hosted repository as the end that a batch reads from; null when it does not
 * exist.
 */
export function readSource(
  tx: DbOrTx,
  projectId: string,
  name: string,
): (Endpoint & { repositoryId: number }) | null {
  const row = tx
    .select()
    .from(repository)
    .where(and(eq(repository.projectId, projectId), eq(repository.name, name)))
    .get();
  if (!row) return null;
  const { username, secret, certificate, insecureSkipVerify } = row;
  const url = row.url ?? "";
  const protocol =
    row.category === "REMOTE" ? protocolOf(row.type, row.protocol, url) : null;
  return {
    repositoryId: row.id,
    url,
    protocol,
    username,
    secret,
    sealedFor: secretOwner(row),
    certificate,
    insecureSkipVerify,
  };
}
