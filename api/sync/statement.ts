import { isSha256 } from "../../activities/store/layout.ts";
import {
  OTHER_ALGORITHMS,
  type OtherAlgorithm,
  type OtherDigests,
} from "../../domain/content-digests.ts";
import { NOT_JSON, parseJson } from "../../domain/foreign/json.ts";
import { LIMITS } from "../../domain/foreign/limits.ts";
import { isRecord } from "../../domain/json.ts";
import {
  SYNC_LIMITS,
  type DescribedEntry,
  type DescribedFile,
  type Statement,
} from "../../domain/sync.ts";
import { CONFLICT_STRATEGIES, REPOSITORY_TYPES } from "../../domain/vocabulary.ts";
import { text, type Text } from "../../domain/text.ts";
import { fail, failWith } from "../http/errors.ts";

export const LENGTH_BYTES = 4;
export const LONGEST_BODY =
  LENGTH_BYTES + SYNC_LIMITS.statementBytes + SYNC_LIMITS.contentBytes;
const LONGEST_NAME = 256;
const LATEST_DATE = 8.64e15;
const HEX = /^[0-9a-f]+$/;

/**
 * A statement of files with the contents that follow it in the body. `contents[i]` belongs to
 * `files[i]`; undefined: it is not attached.
 */
type StatedFiles = Statement<DescribedEntry> & { contents: (Buffer | undefined)[] };

/**
 * Parses the body of a statement of files (domain/sync.ts, Statement); throws 250106 if it is not
 * valid, OverLimit if it has too many values. Checks it by hand, without zod, for speed: thousands of
 * files arrive each second.
 */
export function parseStatedFiles(body: Buffer): StatedFiles {
  const statement = parseStatement(
    parseJson(headOf(body, SYNC_LIMITS.statementBytes), LIMITS.statement),
  );
  let at = LENGTH_BYTES + body.readUInt32BE(0);
  const contents = statement.files.map((file) => {
    if (!file.attached) return undefined;
    const content = body.subarray(at, at + file.size);
    at += file.size;
    return content;
  });
  if (at !== body.length)
    refuse(
      text(
        `the body has ${body.length} bytes; its statement and the attached files have ${at}`,
        `请求体有 ${body.length} 字节；其声明和所附文件共 ${at} 字节`,
      ),
    );
  return { ...statement, contents };
}

/**
 * Returns the JSON at the beginning of a body, before the contents. Throws 413 when it is larger than `limit` bytes,
 * 400 when it is cut off.
 */
export function headOf(body: Buffer, limit: number): Buffer {
  const length = body.length < LENGTH_BYTES ? Infinity : body.readUInt32BE(0);
  if (length > body.length - LENGTH_BYTES)
    refuse(text("the body ends within its statement", "请求体在声明中途结束"));
  if (length > limit)
    failWith(
      413,
      250106,
      text(
        `the statement is larger than the ${limit} bytes that are accepted: declare less at once`,
        `声明超过允许的 ${limit} 字节：请分多次声明`,
      ),
    );
  return body.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
}

export const refuseNotJson = (): never =>
  refuse(text("the statement is not JSON", "声明不是 JSON"));

export const NOT_AN_OBJECT = text("the statement must be an object", "声明必须是对象");

function parseStatement(value: unknown): Statement<DescribedEntry> {
  if (value === NOT_JSON) return refuseNotJson();
  if (!isRecord(value)) return refuse(NOT_AN_OBJECT);
  const { files } = value;
  const type =
    REPOSITORY_TYPES.find((known) => known === value["type"]) ??
    refuse(
      text(
        `type must be one of ${REPOSITORY_TYPES.join(", ")}`,
        `type 必须是以下之一：${REPOSITORY_TYPES.join(", ")}`,
      ),
    );
  if (!Array.isArray(files) || files.length > SYNC_LIMITS.files)
    return refuse(
      text(
        `files must be a list of at most ${SYNC_LIMITS.files}`,
        `files 必须是最多 ${SYNC_LIMITS.files} 项的列表`,
      ),
    );
  const stated = files.map(parseFile);
  if (new Set(stated.map(({ path }) => path)).size < stated.length)
    refuse(text("files must not name a path twice", "files 中的路径不能重复"));
  return { type, ...parseRules(value), files: stated };
}

export function parseRules(
  value: Record<string, unknown>,
): Pick<Statement, "conflictStrategy" | "includeMetadata"> {
  const { includeMetadata } = value;
  const strategies = CONFLICT_STRATEGIES.join(", ");
  const conflictStrategy =
    CONFLICT_STRATEGIES.find((known) => known === value["conflictStrategy"]) ??
    refuse(
      text(
        `conflictStrategy must be one of ${strategies}`,
        `conflictStrategy 必须是以下之一：${strategies}`,
      ),
    );
  if (typeof includeMetadata !== "boolean")
    return mustBe("includeMetadata", TRUE_OR_FALSE);
  return { conflictStrategy, includeMetadata };
}

function parseFile(value: unknown, index: number): DescribedEntry {
  const at = `files[${index}]`;
  if (!isRecord(value)) return mustBe(at, OBJECT);
  const { attached } = value;
  const file = parseFacts(value, at);
  if (typeof attached !== "boolean") return mustBe(`${at}.attached`, TRUE_OR_FALSE);
  if (!attached) return { ...file, attached };
  const { sha256, size } = file;
  if (sha256 === null || size === null)
    return refuse(
      text(
        `${at}.sha256 and ${at}.size must be given for a file whose content is attached`,
        `附上文件内容时必须给出 ${at}.sha256 和 ${at}.size`,
      ),
    );
  if (size > SYNC_LIMITS.fileBytes)
    return refuse(
      text(
        `${at}.size must be at most ${SYNC_LIMITS.fileBytes} for an attached content: begin an upload instead`,
        `附上内容时 ${at}.size 不能超过 ${SYNC_LIMITS.fileBytes}：请改为开始上传`,
      ),
    );
  return { ...file, sha256, size, attached };
}

/**
 * Parses the facts of a declared file; throws 250106 if one is not valid. `at`: its place in the
 * statement, for messages.
 */
export function parseFacts(value: unknown, at: string): DescribedFile {
  const wrong: Wrong = (field, rule) => mustBe(`${at}.${field}`, rule);
  if (!isRecord(value)) return mustBe(at, OBJECT);
  const { path, size = null, sha256 = null, metadata } = value;
  if (typeof path !== "string") return wrong("path", text("a text", "文本"));
  if (size !== null && !isCount(size)) return wrong("size", BYTES);
  if (sha256 !== null && (typeof sha256 !== "string" || !isSha256(sha256)))
    return wrong("sha256", hexDigits(64));
  if (!isTexts(metadata))
    return wrong("metadata", text("an object of texts", "值为文本的对象"));
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

function parseDigests(value: Record<string, unknown>, wrong: Wrong): OtherDigests {
  const digests: { [A in OtherAlgorithm]?: string } = {};
  for (const algorithm of OTHER_ALGORITHMS) {
    const hex = value[algorithm] ?? null;
    if (hex === null) continue;
    const length = HEX_DIGITS[algorithm];
    if (typeof hex !== "string" || hex.length !== length || !HEX.test(hex))
      return wrong(algorithm, hexDigits(length));
    digests[algorithm] = hex;
  }
  return digests;
}

type Audit = Pick<
  DescribedFile,
  "createdBy" | "createdDate" | "lastModifiedBy" | "lastModifiedDate"
>;

export function parseAudit(value: Record<string, unknown>, at: string): Audit {
  const wrong: Wrong = (field, rule) => mustBe(`${at}.${field}`, rule);
  const { createdBy, createdDate, lastModifiedBy, lastModifiedDate } = value;
  if (!isName(createdBy)) return wrong("createdBy", NAME);
  if (!isName(lastModifiedBy)) return wrong("lastModifiedBy", NAME);
  if (!isDate(createdDate)) return wrong("createdDate", EPOCH_MS);
  if (!isDate(lastModifiedDate)) return wrong("lastModifiedDate", EPOCH_MS);
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

export function refuse(why: Text): never {
  return fail(250106, why);
}

type Wrong = (field: string, rule: Text) => never;

/**
 * Throws 250106 because `field` of a statement (such as `files[0].size`) is not what `rule`
 * demands.
 */
export const mustBe: Wrong = (field, { en, zh }) =>
  refuse(text(`${field} must be ${en}`, `${field} 必须是${zh}`));

export const OBJECT = text("an object", "对象");
export const NAME = text("a name", "名称");
export const BYTES = text("a number of bytes", "字节数");
const TRUE_OR_FALSE = text("true or false", " true 或 false");
const EPOCH_MS = text("epoch milliseconds", "毫秒时间戳");
export const hexDigits = (length: number): Text =>
  text(`${length} lower-case hex digits`, ` ${length} 位小写十六进制数字`);
