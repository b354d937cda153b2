import { eq, sql } from "drizzle-orm";
import { type Amount, isAtMost, SMALL_RUN } from "../../domain/lanes.ts";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { planObject } from "../schema/replication.ts";

/** What an artifact of a linked repository is taken for, whose size shows only with its transfer. */
const UNKNOWN_BYTES = 6 * 1024 ** 2;

/** Whether all that a run has planned is a few small artifacts. `linked`: their sizes are not known. */
export function isSmallRun(tx: DbOrTx, recordId: string, linked: boolean): boolean {
  const { artifacts, bytes } = planned(tx).get({ recordId }) ?? { artifacts: 0, bytes: 0 };
  return isAtMost({ artifacts, bytes: linked ? bytes + artifacts * UNKNOWN_BYTES : bytes }, SMALL_RUN);
}

const planned = prepared((db) =>
  db
    .select({ artifacts: sql<number>`coalesce(sum(${planObject.planned}), 0)`, bytes: sql<number>`coalesce(sum(${planObject.bytes}), 0)` } satisfies Record<keyof Amount, unknown>)
    .from(planObject)
    .where(eq(planObject.recordId, sql.placeholder("recordId")))
    .prepare(),
);
