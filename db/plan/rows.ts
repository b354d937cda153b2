import { and, eq, sql } from "drizzle-orm";
import type { LeftOut } from "../../domain/left-out.ts";
import type { DbOrTx } from "../open.ts";
import { planObject } from "../schema/plans.ts";

/**
 * Maximum number of rows that one transaction reads. A transaction of this size takes some
 * milliseconds, in which no request is answered.
 */
export const PAGE = 1_000;

export type ObjectKey = { recordId: string; object: number };

/**
 * The object that is planned. `place`: its repository, for messages; `lacking`: what happens to an
 * artifact that a constraint names and that does not exist.
 */
export type Where = ObjectKey & {
  repositoryId: number;
  place: string;
  now: number;
  lacking: "fails" | "passes";
};

/**
 * The position within a plan. `step`: the planning step; `afterName`, `afterVersion`: the path or
 * package and version after which the step continues; `chosen`: how many named versions are done;
 * `found`: whether anything existed; `leftOut`: what was left out so far. The position is a name
 * and not a row id, because a plan has the order of the names: so a page costs the same in a large
 * repository.
 */
export type Cursor = {
  step: number;
  afterName: string;
  afterVersion: string;
  chosen: number;
  found: boolean;
  leftOut: LeftOut;
};

/**
 * The result of planning a page. `looked`: how many rows were read; `goesOn`: the step has more.
 */
export type Progress = { looked: number; goesOn: boolean; cursor: Cursor };

export type PlannedRow = {
  name: string;
  version: string;
  size: number | null;
  digest: string | null;
  problem?: string | null;
};

/** SQL: the seq of an object's last plan row, 0 without any. */
export const lastSeq = ({ recordId, object: objectIndex }: ObjectKey) =>
  sql`(SELECT coalesce(max(seq), 0) FROM plan WHERE record_id = ${recordId} AND object = ${objectIndex})`;

/**
 * Runs `insert` and adds the rows that it has planned, and no others, to the sums of `plan_object`.
 * Returns how many rows were added.
 */
export function countingPlanned(tx: DbOrTx, key: ObjectKey, insert: () => void): number {
  const { recordId, object: objectIndex } = key;
  const { last } = tx.get<{ last: number }>(sql`SELECT ${lastSeq(key)} AS last`);
  insert();
  const { n, bytes } = tx.get<{ n: number; bytes: number }>(sql`
    SELECT count(*) AS n, total(size) AS bytes FROM plan
    WHERE record_id = ${recordId} AND object = ${objectIndex} AND seq > ${last}`);
  addPlanned(tx, key, n, bytes);
  return n;
}

/** Adds rows to the sums of `plan_object`; call it in the transaction that changes the plan. */
export function addPlanned(
  tx: DbOrTx,
  { recordId, object: objectIndex }: ObjectKey,
  rows: number,
  bytes: number,
): void {
  if (rows === 0 && bytes === 0) return;
  tx.update(planObject)
    .set({
      planned: sql`${planObject.planned} + ${rows}`,
      bytes: sql`${planObject.bytes} + ${bytes}`,
    })
    .where(and(eq(planObject.recordId, recordId), eq(planObject.object, objectIndex)))
    .run();
}

/**
 * Plans artifacts. Those already in the plan stay as they are, and an artifact that is given twice
 * is planned once.
 */
export function insertPlanned(
  tx: DbOrTx,
  where: ObjectKey,
  rows: readonly PlannedRow[],
): void {
  const { recordId, object: objectIndex } = where;
  if (rows.length === 0) return;
  const distinct = new Map<string, PlannedRow>();
  for (const row of rows) {
    const id = JSON.stringify([row.name, row.version]);
    if (!distinct.has(id)) distinct.set(id, row);
  }
  const list = JSON.stringify(
    [...distinct.values()].map(({ name, version, size, digest, problem = null }) => [
      name,
      version,
      size,
      digest,
      problem,
    ]),
  );
  tx.run(sql`
    INSERT INTO plan (record_id, object, seq, name, version, size, digest, problem)
    SELECT ${recordId}, ${objectIndex}, ${lastSeq(where)} + row_number() OVER (),
      j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, j.value ->> 4
    FROM json_each(${list}) j
    WHERE NOT EXISTS (
      SELECT 1 FROM plan p
      WHERE p.record_id = ${recordId}
        AND p.object = ${objectIndex}
        AND p.name = j.value ->> 0
        AND p.version = j.value ->> 1)`);
}

/**
 * Plans an artifact that a constraint names and that does not exist, so that it fails with this
 * text; plans nothing if `lacking` is "passes".
 */
export function insertProblem(
  tx: DbOrTx,
  where: Where,
  { name, version = "" }: { name: string; version?: string },
  problem: string,
): void {
  if (where.lacking === "fails")
    insertPlanned(tx, where, [{ name, version, size: null, digest: null, problem }]);
}
