import { setImmediate as turn } from "node:timers/promises";
import { TransferError } from "../../../domain/failure.ts";
import { isRecord } from "../../../domain/json.ts";
import {
  SYNC_FEATURES,
  SYNC_LIMITS,
  type Capabilities,
  type EnsureAnswer,
  type FileAnswer,
  type SyncLimits,
  type UploadedContent,
  type UploadSession,
} from "../../../domain/sync.ts";
import { REPOSITORY_TYPES } from "../../../domain/vocabulary.ts";
import { budgetOfAnswers } from "../budget.ts";
import type { Shown } from "../foreign.ts";

/** Bytes of a chunk that each instance must take: with fewer, one content could be days of requests. */
const LEAST_CHUNK = 64 * 1024;
/** Steps of a budget after which other work has its turn: some milliseconds. */
const STEPS_OF_A_TURN = 16 * 1024;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Parses the capabilities of an instance; null when `data` is not in their format. Texts for messages
 * go through `shown`. Limits never exceed our own, so a peer cannot make us buffer more than we would.
 */
export function readCapabilities(data: unknown, shown: Shown): Capabilities | null {
  if (
    !isRecord(data) ||
    typeof data["product"] !== "string" ||
    typeof data["version"] !== "number"
  )
    return null;
  const features = Array.isArray(data["features"]) ? data["features"] : [];
  const types = Array.isArray(data["repositoryTypes"]) ? data["repositoryTypes"] : [];
  return {
    product: data["product"],
    version: data["version"],
    name: typeof data["name"] === "string" ? shown(data["name"]) : "",
    limits: readLimits(data["limits"]),
    repositoryTypes: REPOSITORY_TYPES.filter((type) => types.includes(type)),
    features: SYNC_FEATURES.filter((feature) => features.includes(feature)),
  };
}

function readLimits(data: unknown): SyncLimits {
  const given = isRecord(data) ? data : {};
  const limits = { ...SYNC_LIMITS };
  for (const key of Object.keys(SYNC_LIMITS) as (keyof SyncLimits)[]) {
    const value = given[key];
    if (isCount(value) && value > 0) limits[key] = Math.min(value, limits[key]);
  }
  return { ...limits, chunkBytes: Math.max(limits.chunkBytes, LEAST_CHUNK) };
}

export function readEnsured(data: unknown, what: string): EnsureAnswer {
  if (!isRecord(data) || typeof data["created"] !== "boolean") throw malformed(what);
  return { created: data["created"], empty: data["empty"] === true };
}

export function readSession(data: unknown, what: string): UploadSession {
  if (!isRecord(data)) throw malformed(what);
  const { id, offset, done } = data;
  if (typeof id !== "string" || !isCount(offset) || typeof done !== "boolean")
    throw malformed(what);
  return { id, offset, done };
}

export function readUploaded(data: unknown, what: string): UploadedContent {
  const session = readSession(data, what);
  const { sha256, size } = isRecord(data) ? data : {};
  if (
    !session.done ||
    typeof sha256 !== "string" ||
    !SHA256.test(sha256) ||
    !isCount(size)
  )
    throw malformed(what);
  return { ...session, sha256, size };
}

/**
 * Parses what an answer says about each of many artifacts by `read`, which returns null for what does not follow the
 * protocol. The texts in it share one budget, and other work of the process has its turns meanwhile.
 */
export async function readEach<T>(
  answers: readonly unknown[],
  what: string,
  shown: Shown,
  read: (answer: unknown, at: number, shown: Shown) => T | null,
): Promise<T[]> {
  const rest = budgetOfAnswers();
  const within: Shown = (text) => shown(text, rest);
  const all: T[] = [];
  let last = rest.steps;
  for (const [at, answer] of answers.entries()) {
    all.push(read(answer, at, within) ?? refuse(what));
    if (last - rest.steps < STEPS_OF_A_TURN) continue;
    await turn();
    last = rest.steps;
  }
  return all;
}

export async function readFileAnswers(
  data: unknown,
  expected: number,
  what: string,
  shown: Shown,
): Promise<FileAnswer[]> {
  const files = isRecord(data) ? data["files"] : undefined;
  if (!Array.isArray(files) || files.length !== expected) throw malformed(what);
  return readEach(files, what, shown, (answer, _at, within) =>
    readFileAnswer(answer, within),
  );
}

function readFileAnswer(data: unknown, shown: Shown): FileAnswer | null {
  if (!isRecord(data)) return null;
  const { result, code, message } = data;
  const existing =
    typeof data["existing"] === "string" ? shown(data["existing"]) : undefined;
  switch (result) {
    case "made":
    case "same":
    case "stopped":
    case "damaged":
      return { result };
    case "need":
      return { result, ...(existing === undefined ? {} : { existing }) };
    case "replaced":
    case "conflict":
      return existing === undefined ? null : { result, existing };
    case "refused":
      if (typeof code !== "number" || typeof message !== "string") return null;
      return {
        result,
        code,
        message: shown(message),
        ...(existing === undefined ? {} : { existing }),
      };
    default:
      return null;
  }
}

function refuse(what: string): never {
  throw malformed(what);
}

export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

export function malformed(what: string): TransferError {
  return new TransferError(
    "invalid",
    `${what}: the answer does not follow the replication protocol: check for a proxy that changes answers`,
  );
}
