import { sql } from "drizzle-orm";
import type { DbOrTx } from "../open.ts";

/** Rows looked at in one transaction (design.md §5.3). */
export const PAGE = 5_000;

/** The object that is planned; `place`: its repository, for messages. */
export type Where = { recordId: string; object: number; repositoryId: number; place: string; now: number };

/** How far one step of a plan is: a node's id, a name with a version of it, or a name where only one folder is looked at; and whether anything was there. */
export type Cursor = { step: number; afterNode: number; afterName: string; afterVersion: string; found: boolean };

/** `goesOn`: there is more of it. */
export type Progress = { goesOn: boolean; cursor: Cursor };

export type PlannedRow = { name: string; version: string; size: number; digest: string };

/** The next number of an object's plan, less one. */
export const lastSeq = ({ recordId, object }: Pick<Where, "recordId" | "object">) =>
  sql`(SELECT coalesce(max(seq), 0) FROM plan WHERE record_id = ${recordId} AND object = ${object})`;

/** Plans artifacts; what is planned already stays as it is. */
export function insertPlanned(tx: DbOrTx, where: Where, rows: readonly PlannedRow[]): void {
  const { recordId, object } = where;
  if (rows.length === 0) return;
  const list = JSON.stringify(rows.map(({ name, version, size, digest }) => [name, version, size, digest]));
  tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, size, digest)
    SELECT ${recordId}, ${object}, ${lastSeq(where)} + row_number() OVER (ORDER BY j.key), j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3
    FROM json_each(${list}) j
    WHERE NOT EXISTS (SELECT 1 FROM plan p WHERE p.record_id = ${recordId} AND p.object = ${object} AND p.name = j.value ->> 0 AND p.version = j.value ->> 1)`);
}

/** Plans something that was asked for and is not there: it will fail with that text. */
export function insertProblem(tx: DbOrTx, where: Where, { name, version = "" }: { name: string; version?: string }, problem: string): void {
  const { recordId, object } = where;
  tx.run(sql`
    INSERT OR IGNORE INTO plan (record_id, object, seq, name, version, problem)
    VALUES (${recordId}, ${object}, ${lastSeq(where)} + 1, ${name}, ${version}, ${problem})`);
}
