import { and, eq, isNull, sql } from "drizzle-orm";
import { type Amount, isAtMost, SMALL_RUN } from "../../domain/lanes.ts";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { plan, planObject } from "../schema/plans.ts";

/**
 * Assumed bytes of an artifact in a linked repository if its size is known only after its transfer.
 */
const UNKNOWN_BYTES = 6 * 1024 ** 2;

/**
 * Whether a run has planned only a few small artifacts. `linked`: some come from a listing, which
 * may lack their sizes.
 */
export function isSmallRun(tx: DbOrTx, recordId: string, linked: boolean): boolean {
  const known = planned(tx).get({ recordId }) ?? { artifacts: 0, bytes: 0 };
  if (!linked || !isAtMost(known, SMALL_RUN)) return isAtMost(known, SMALL_RUN);
  const { n } = unsized(tx).get({ recordId }) ?? { n: 0 };
  return isAtMost({ ...known, bytes: known.bytes + n * UNKNOWN_BYTES }, SMALL_RUN);
}

/** Counts plan rows without a size; used only for short plans. */
const unsized = prepared((db) =>
  db
    .select({ n: sql<number>`count(*)` })
    .from(plan)
    .where(and(eq(plan.recordId, sql.placeholder("recordId")), isNull(plan.size)))
    .prepare(),
);

const planned = prepared((db) =>
  db
    .select({
      artifacts: sql<number>`total(${planObject.planned})`,
      bytes: sql<number>`total(${planObject.bytes})`,
    } satisfies Record<keyof Amount, unknown>)
    .from(planObject)
    .where(eq(planObject.recordId, sql.placeholder("recordId")))
    .prepare(),
);
