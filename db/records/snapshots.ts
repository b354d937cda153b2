import { eq, sql } from "drizzle-orm";
import {
  completeSnapshot,
  type RunSnapshot,
  type StoredSnapshot,
} from "../../domain/task.ts";
import type { DbOrTx } from "../open.ts";
import { prepared } from "../prepared.ts";
import { record } from "../schema/records.ts";

/**
 * Maximum length of JSON, in characters and over all records, whose parsed values are kept in
 * memory.
 */
const MOST_KEPT = 4_000_000;

type Kept = { taskKey: string; startTime: number; length: number; snapshot: RunSnapshot };

/**
 * Parsed snapshots by record id, the least recently used first. A record's snapshot never changes,
 * so one that is still here need not be read and parsed again.
 */
const kept = new Map<string, Kept>();
let length = 0;

/**
 * Returns the snapshot that a run keeps of its task; null when there is no such record. All callers
 * share the value and must not change it.
 */
export function snapshotOf(db: DbOrTx, recordId: string): RunSnapshot | null {
  const row = recordAt(db).get({ recordId });
  const known = forget(recordId);
  if (!row) return null;
  // A record that was deleted and made again under its id is a different one.
  if (known && known.taskKey === row.taskKey && known.startTime === row.startTime)
    return keep(recordId, known);
  const { text } = db.get<{ text: string }>(
    sql`SELECT snapshot AS text FROM record WHERE id = ${recordId}`,
  );
  const snapshot = completeSnapshot(JSON.parse(text) as StoredSnapshot);
  return keep(recordId, { ...row, length: text.length, snapshot });
}

const recordAt = prepared((db) =>
  db
    .select({ taskKey: record.taskKey, startTime: record.startTime })
    .from(record)
    .where(eq(record.id, sql.placeholder("recordId")))
    .prepare(),
);

function forget(recordId: string): Kept | undefined {
  const known = kept.get(recordId);
  if (known && kept.delete(recordId)) length -= known.length;
  return known;
}

function keep(recordId: string, value: Kept): RunSnapshot {
  kept.set(recordId, value);
  length += value.length;
  for (const oldest of kept.keys()) {
    if (length <= MOST_KEPT || oldest === recordId) break;
    forget(oldest);
  }
  return value.snapshot;
}
