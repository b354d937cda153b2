import { overQuota } from "../../../db/content/quotas.ts";
import type { RepositoryRow } from "../../../db/content/repositories.ts";
import type { DbOrTx } from "../../../db/open.ts";
import { type OverQuota, overQuotaText } from "../../../domain/quota.ts";
import { OciError } from "./errors.ts";

/** The answer to content beyond a quota; the specification has no code for it, and other registries send DENIED. */
export const quotaExceeded = (over: OverQuota): OciError =>
  new OciError(413, "DENIED", overQuotaText(over).en);

/** Throws 413 if `needed` bytes more in the repository would exceed a quota. */
export function mustFit(db: DbOrTx, repository: RepositoryRow, needed: number): void {
  const over = overQuota(db, repository, needed);
  if (over !== null) throw quotaExceeded(over);
}
