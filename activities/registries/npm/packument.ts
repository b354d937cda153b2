import pLimit from "p-limit";
import { setImmediate as turn } from "node:timers/promises";
import type { Budgets } from "../../../domain/budgets.ts";
import { NOT_JSON } from "../../../domain/foreign/json.ts";
import { LIMITS, OverLimit } from "../../../domain/foreign/limits.ts";
import { sliceJson, type Sliced } from "../../../domain/foreign/slices.ts";
import { TransferError } from "../../../domain/failure.ts";
import { isRecord, type JsonObject, record } from "../../../domain/json.ts";
import type { HttpResponse } from "../http-message.ts";

/** What a version takes in memory beside its document (bytes): its name and where its document lies. */
const VERSION_BYTES = 100;
/** Beyond this size (bytes), an end sends one document at a time. */
const LARGE = 2 * 1024 * 1024;

/**
 * A package as its registry describes it; `tags` maps dist-tags to versions. `modified`: its last change (epoch ms),
 * null when the registry does not state it. `bytes`: what it takes in memory.
 */
export type Package = {
  name: string;
  tags: ReadonlyMap<string, string>;
  versions: Versions;
  modified: number | null;
  bytes: number;
};

/** The versions of a package; a document is parsed when it is asked for, since there may be thousands. */
type Versions = {
  keys: () => Iterable<string>;
  has: (version: string) => boolean;
  /** Returns the document of a version; undefined without it. Throws `invalid` for a document beyond its limits. */
  get: (version: string) => JsonObject | undefined;
  /** Returns the packument with another document of a version. */
  with: (version: string, document: JsonObject) => Buffer;
};

/** Reads the packuments of one registry. */
export function createPackuments({ maxTags }: Budgets) {
  const large = pLimit(1);

  /** Reads a body of at most LIMITS.packument.bytes. */
  async function bytesOf(answer: HttpResponse, tooLarge: Refuse): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    const body = answer.stream();
    const readTo = async (most: number): Promise<boolean> => {
      for (let next = await body.next(); !next.done; next = await body.next()) {
        chunks.push(next.value);
        length += next.value.length;
        if (length > LIMITS.packument.bytes)
          throw tooLarge(new OverLimit("bytes", LIMITS.packument.bytes));
        if (length > most) return false;
      }
      return true;
    };
    try {
      if (!(await readTo(LARGE))) await large(() => readTo(Infinity));
    } finally {
      await body.return();
    }
    return Buffer.concat(chunks);
  }

  return async (answer: HttpResponse, name: string, what: string): Promise<Package> => {
    const where = answer.place.where;
    const tooLarge: Refuse = ({ message }) =>
      new TransferError(
        "invalid",
        `${what}: the packument at ${where} is too large: ${message}: delete versions there that are not needed`,
      );
    const bytes = await bytesOf(answer, tooLarge);
    const sliced = await sliceJson(bytes, {
      field: "versions",
      rest: LIMITS.packument,
      member: LIMITS.version,
      most: maxTags,
      pause: turn,
    }).catch((error: unknown) => {
      throw error instanceof OverLimit ? tooLarge(error) : error;
    });
    const held = bytes.length + [...sliced.members.keys()].length * VERSION_BYTES;
    return toPackage(name, sliced, held, what, answer.place.host);
  };
}

type Refuse = (error: OverLimit) => TransferError;

function toPackage(
  name: string,
  { rest, members }: Sliced,
  bytes: number,
  what: string,
  host: string,
): Package {
  if (!isRecord(rest)) throw notAnObject(rest, what, host);
  const tags = Object.entries(record(rest["dist-tags"])).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  const modified = Date.parse(
    String(rest["modified"] ?? record(rest["time"])["modified"] ?? ""),
  );
  return {
    name,
    tags: new Map(tags),
    modified: Number.isNaN(modified) ? null : modified,
    bytes,
    versions: {
      keys: members.keys,
      has: members.has,
      get: (version) => documentIn(() => members.get(version), `${name}@${version}`),
      with: (version, document) => members.with(version, JSON.stringify(document)),
    },
  };
}

function documentIn(read: () => unknown, what: string): JsonObject | undefined {
  try {
    const value = read();
    return value === undefined ? undefined : record(value);
  } catch (error) {
    if (!(error instanceof OverLimit)) throw error;
    const why = `its document is too large: ${error.message}`;
    throw new TransferError("invalid", `${what}: ${why}: leave this version out`);
  }
}

/** Builds the error for an answer that is no JSON object. */
export function notAnObject(value: unknown, what: string, host: string): TransferError {
  const kind = value === NOT_JSON ? "JSON" : "a JSON object";
  return new TransferError(
    "invalid",
    `${what}: the answer of ${host} is not ${kind}: is it an npm registry?`,
  );
}
