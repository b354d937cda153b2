import { isSha256 } from "../../activities/store/layout.ts";
import {
  OTHER_ALGORITHMS,
  type OtherAlgorithm,
  type OtherDigests,
} from "../../domain/content-digests.ts";
import {
  SYNC_LIMITS,
  type DescribedEntry,
  type DescribedFile,
  type Statement,
} from "../../domain/sync.ts";
import { CONFLICT_STRATEGIES, REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { fail, failWith } from "../http/errors.ts";
import { isRecord } from "../http/is-record.ts";

export const LENGTH_BYTES = 4;
export const LONGEST_BODY =
  LENGTH_BYTES + SYNC_LIMITS.statementBytes + SYNC_LIMITS.contentBytes;
const LONGEST_NAME = 256;
const LATEST_DATE = 8.64e15;
const HEX = /^[0-9a-f]+$/;

/** A statement of files and the bytes behind it; `contents[i]` belongs to `files[i]`. */
type StatedFiles = Statement<DescribedEntry> & { contents: (Buffer | undefined)[] };

/**
 * Parses the body of a statement of files (domain/sync.ts, Statement). It is checked by hand: thousands of files pass
 * here each second.
 */
export function parseStatedFiles(body: Buffer): StatedFiles {
  const statement = parseStatement(parseHead(body, SYNC_LIMITS.statementBytes));
  let at = LENGTH_BYTES + body.readUInt32BE(0);
  const contents = statement.files.map((file) => {
    if (!file.attached) return undefined;
    const content = body.subarray(at, at + file.size);
    at += file.size;
    return content;
  });
  if (at !== body.length)
    refuse(
      `the body has ${body.length} bytes; its statement and the attached files have ${at}`,
    );
  return { ...statement, contents };
}

/** Parses the JSON before the contents, of at most `limit` bytes. */
export function parseHead(body: Buffer, limit: number): unknown {
  const length = body.length < LENGTH_BYTES ? Infinity : body.readUInt32BE(0);
  if (length > body.length - LENGTH_BYTES) refuse("the body ends within its statement");
  if (length > limit)
    failWith(413, 250106, `the statement is larger than ${limit} bytes`);
  try {
    return JSON.parse(body.toString("utf8", LENGTH_BYTES, LENGTH_BYTES + length));
  } catch {
    return refuse("the statement is not JSON");
  }
}

function parseStatement(value: unknown): Statement<DescribedEntry> {
  if (!isRecord(value)) return refuse("the statement must be an object");
  const { files } = value;
  const type =
    REPOSITORY_TYPES.find((known) => known === value["type"]) ??
    refuse("type must be a repository type");
  if (!Array.isArray(files) || files.length > SYNC_LIMITS.files)
    return refuse(`files must be a list of at most ${SYNC_LIMITS.files}`);
  const stated = files.map(parseFile);
  if (new Set(stated.map(({ path }) => path)).size < stated.length)
    refuse("files must not name a path twice");
  return { type, ...parseRules(value), files: stated };
}

export function parseRules(
  value: Record<string, unknown>,
): Pick<Statement, "conflictStrategy" | "includeMetadata"> {
  const { includeMetadata } = value;
  const strategies = CONFLICT_STRATEGIES.join(", ");
  const conflictStrategy =
    CONFLICT_STRATEGIES.find((known) => known === value["conflictStrategy"]) ??
    refuse(`conflictStrategy must be one of ${strategies}`);
  if (typeof includeMetadata !== "boolean")
    return refuse("includeMetadata must be true or false");
  return { conflictStrategy, includeMetadata };
}

function parseFile(value: unknown, index: number): DescribedEntry {
  const at = `files[${index}]`;
  if (!isRecord(value)) return refuse(`${at} must be an object`);
  const { attached } = value;
  const file = parseFacts(value, at);
  if (typeof attached !== "boolean")
    return refuse(`${at}.attached must be true or false`);
  if (!attached) return { ...file, attached };
  const { sha256, size } = file;
  if (sha256 === null || size === null)
    return refuse(`${at}.sha256 and size must be given when attached`);
  if (size > SYNC_LIMITS.fileBytes)
    return refuse(
      `${at}.size must be at most ${SYNC_LIMITS.fileBytes} when attached: begin an upload`,
    );
  return { ...file, sha256, size, attached };
}

/** Parses the facts of a file; `at`: its place in the statement, for messages. */
export function parseFacts(value: unknown, at: string): DescribedFile {
  const wrong = (field: string, rule: string): never =>
    refuse(`${at}.${field} must be ${rule}`);
  if (!isRecord(value)) return refuse(`${at} must be an object`);
  const { path, size = null, sha256 = null, metadata } = value;
  if (typeof path !== "string") return wrong("path", "a text");
  if (size !== null && !isCount(size)) return wrong("size", "a number of bytes");
  if (sha256 !== null && (typeof sha256 !== "string" || !isSha256(sha256)))
    return wrong("sha256", "64 lower-case hex digits");
  if (!isTexts(metadata)) return wrong("metadata", "an object of texts");
  return {
    path,
    size,
    sha256,
    ...parseDigests(value, wrong),
    metadata,
    ...parseAudit(value, at),
  };
}

const HEX_DIGITS: Record<OtherAlgorithm, number> = { sha512: 128, sha1: 40, md5: 32 };

function parseDigests(
  value: Record<string, unknown>,
  wrong: (field: string, rule: string) => never,
): OtherDigests {
  const digests: { [A in OtherAlgorithm]?: string } = {};
  for (const algorithm of OTHER_ALGORITHMS) {
    const hex = value[algorithm] ?? null;
    if (hex === null) continue;
    const length = HEX_DIGITS[algorithm];
    if (typeof hex !== "string" || hex.length !== length || !HEX.test(hex))
      return wrong(algorithm, `${length} lower-case hex digits`);
    digests[algorithm] = hex;
  }
  return digests;
}

type Audit = Pick<
  DescribedFile,
  "createdBy" | "createdDate" | "lastModifiedBy" | "lastModifiedDate"
>;

export function parseAudit(value: Record<string, unknown>, at: string): Audit {
  const wrong = (field: string, rule: string): never =>
    refuse(`${at}.${field} must be ${rule}`);
  const { createdBy, createdDate, lastModifiedBy, lastModifiedDate } = value;
  if (!isName(createdBy)) return wrong("createdBy", "a name");
  if (!isName(lastModifiedBy)) return wrong("lastModifiedBy", "a name");
  if (!isDate(createdDate)) return wrong("createdDate", "epoch milliseconds");
  if (!isDate(lastModifiedDate)) return wrong("lastModifiedDate", "epoch milliseconds");
  return { createdBy, createdDate, lastModifiedBy, lastModifiedDate };
}

export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isDate = (value: unknown): value is number =>
  isCount(value) && value <= LATEST_DATE;
const isName = (value: unknown): value is string =>
  typeof value === "string" && value.length <= LONGEST_NAME;

function isTexts(value: unknown): value is Record<string, string> {
  if (!isRecord(value)) return false;
  for (const key in value) if (typeof value[key] !== "string") return false;
  return true;
}

export function refuse(why: string): never {
  return fail(250106, why);
}
