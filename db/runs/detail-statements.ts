import type { ComparedBy, VerifiedBy } from "../../domain/vocabulary.ts";
import type { Db } from "../open.ts";

type DetailKey = { recordId: string; clusterId: string; object: number; seq: number };

/** A row of `detail` as a report sets it; booleans as 0 and 1. */
export type DetailValues = DetailKey & {
  artifactName: string;
  version: string;
  status: "RUNNING" | "SUCCESS" | "FAILED";
  dispatch: number;
  epoch: number;
  size: number | null;
  sizePlanned: 0 | 1;
  digest: string | null;
  conflict: 0 | 1;
  skip: 0 | 1;
  conflictStrategy: string | null;
  blobSuccess: number;
  blobSkip: number;
  blobFailed: number;
  nodeSuccess: number;
  nodeSkip: number;
  nodeFailed: number;
  bytesSent: number;
  /** Bytes read at the target in this attempt. */
  bytesRead: number;
  compared: ComparedBy | null;
  verified: VerifiedBy | null;
  note: string | null;
  startTime: number;
  endTime: number | null;
  errorReason: string | null;
  again: 0 | 1;
  notBefore: number | null;
  firstFailure: number | null;
  uploads: string | null;
  tries: number;
  unsent: 0 | 1;
  whole: 0 | 1;
};

const KEYS = [
  "recordId",
  "clusterId",
  "object",
  "seq",
  "artifactName",
  "version",
  "sizePlanned",
  "startTime",
];
const CHANGING = [
  "status",
  "dispatch",
  "epoch",
  "size",
  "digest",
  "conflict",
  "skip",
  "conflictStrategy",
  "blobSuccess",
  "blobSkip",
  "blobFailed",
  "nodeSuccess",
  "nodeSkip",
  "nodeFailed",
  "bytesSent",
  "bytesRead",
  "compared",
  "verified",
  "note",
  "endTime",
  "errorReason",
  "again",
  "notBefore",
  "firstFailure",
  "uploads",
  "tries",
  "unsent",
  "whole",
];
/** Columns that keep their value when a later report lacks it. */
const KEPT = new Set(["size", "digest", "firstFailure"]);
/** Columns to which each attempt adds. */
const ADDED = new Set(["bytesRead"]);

const column = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const set = (name: string) => `${column(name)} = ${newValue(name, column(name))}`;

function newValue(name: string, column: string): string {
  if (KEPT.has(name)) return `coalesce(excluded.${column}, ${column})`;
  return ADDED.has(name) ? `${column} + excluded.${column}` : `excluded.${column}`;
}

function prepare({ $client: client }: Db) {
  const names = [...KEYS, ...CHANGING];
  return {
    tries: client.prepare<
      [DetailKey],
      { tries: number; firstFailure: number | null; errorReason: string | null }
    >(
      `SELECT tries, first_failure AS firstFailure, error_reason AS errorReason FROM detail
       WHERE record_id = @recordId AND cluster_id = @clusterId AND object = @object AND seq = @seq`,
    ),
    /**
     * Inserts or updates a detail. A recorded outcome stays, including an *again* of this dispatch,
     * and an older dispatch does not overwrite a newer one.
     */
    save: client.prepare<[DetailValues]>(
      `INSERT INTO detail (${names.map(column).join(", ")})
       VALUES (${names.map((name) => `@${name}`).join(", ")})
       ON CONFLICT (record_id, cluster_id, object, seq)
       DO UPDATE SET ${CHANGING.map(set).join(", ")}
       WHERE status = 'RUNNING'
         AND (dispatch < excluded.dispatch OR (dispatch = excluded.dispatch AND again = 0))`,
    ),
  };
}

const prepared = new WeakMap<Db, ReturnType<typeof prepare>>();

/**
 * Returns the statements of a database. They are prepared once, because thousands of outcomes are
 * recorded each second.
 */
export function detailStatements(db: Db): ReturnType<typeof prepare> {
  const known = prepared.get(db) ?? prepare(db);
  prepared.set(db, known);
  return known;
}
