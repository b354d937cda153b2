import { isSha256 } from "../../activities/store/layout.ts";
import { isDigest } from "../../domain/digest.ts";
import { NOT_JSON } from "../../domain/foreign/json.ts";
import { LIMITS, OverLimit } from "../../domain/foreign/limits.ts";
import { createMeter } from "../../domain/foreign/meter.ts";
import { sliceJson } from "../../domain/foreign/slices.ts";
import { turn } from "../../db/turns.ts";
import { isRecord } from "../../domain/json.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import {
  MOST_SOURCE_VERSIONS,
  STATED_TYPES,
  type DescribedVersion,
  type StatedContent,
  type VersionsStatement,
} from "../../domain/sync-versions.ts";
import { text, type Text } from "../../domain/text.ts";
import {
  BYTES,
  headOf,
  hexDigits,
  isCount,
  LENGTH_BYTES,
  mustBe,
  NAME,
  NOT_AN_OBJECT,
  OBJECT,
  parseAudit,
  parseFacts,
  parseRules,
  refuse,
  refuseNotJson,
} from "./statement.ts";

export const LONGEST_VERSIONS_BODY =
  LENGTH_BYTES + SYNC_LIMITS.versionBytes + SYNC_LIMITS.contentBytes;
const LONGEST_NAME = 1024;
const MOST_TAGS = 10_000;
const TOO_MANY = text(
  `versions must be a list of at most ${SYNC_LIMITS.versions}`,
  `versions 必须是最多 ${SYNC_LIMITS.versions} 项的列表`,
);
/** Number of versions that are parsed before other work gets its turn. */
const PARSED_AT_ONCE = 10;

/**
 * A statement of versions with the contents that follow it in the body; `bytes[i]` belongs to
 * `contents[i]`.
 */
type StatedVersions = VersionsStatement<DescribedVersion> & { bytes: Buffer[] };

/**
 * Parses the body of a statement of versions (domain/sync-versions.ts, VersionsStatement); throws
 * 250106 if it is not valid, OverLimit if it has too many values.
 */
export async function parseStatedVersions(body: Buffer): Promise<StatedVersions> {
  const statement = await parseHead(headOf(body, SYNC_LIMITS.versionBytes));
  let at = LENGTH_BYTES + body.readUInt32BE(0);
  const bytes = statement.contents.map(({ size }) => {
    const content = body.subarray(at, at + size);
    at += size;
    return content;
  });
  if (at !== body.length)
    refuse(
      text(
        `the body has ${body.length} bytes; its statement and the contents have ${at}`,
        `请求体有 ${body.length} 字节；其声明和内容共 ${at} 字节`,
      ),
    );
  return { ...statement, bytes };
}

/** Parses a statement version by version, so that other requests get their turn. */
async function parseHead(head: Buffer): Promise<VersionsStatement<DescribedVersion>> {
  createMeter(LIMITS.versions).feed(head);
  const { rest, members } = await sliceJson(head, {
    field: "versions",
    rest: LIMITS.statement,
    member: LIMITS.statedVersion,
    most: SYNC_LIMITS.versions,
    pause: () => turn("answer"),
  }).catch((error: unknown) => {
    throw error instanceof OverLimit && error.limit === "members"
      ? refuse(TOO_MANY)
      : error;
  });
  if (rest === NOT_JSON) return refuseNotJson();
  const versions: unknown[] = [];
  for (const index of members.keys()) {
    versions.push(members.get(index) ?? refuseNotJson());
    if (versions.length % PARSED_AT_ONCE === 0) await turn("answer");
  }
  return parseStatement(rest, versions);
}

function parseStatement(
  value: unknown,
  versions: unknown[],
): VersionsStatement<DescribedVersion> {
  if (!isRecord(value)) return refuse(NOT_AN_OBJECT);
  const { contents } = value;
  const type =
    STATED_TYPES.find((known) => known === value["type"]) ??
    refuse(
      text(
        `type must be one of ${STATED_TYPES.join(", ")}`,
        `type 必须是以下之一：${STATED_TYPES.join(", ")}`,
      ),
    );
  if (!Array.isArray(contents)) return mustBe("contents", text("a list", "列表"));
  if (!Array.isArray(value["versions"])) return refuse(TOO_MANY);
  const rules = parseRules(value);
  const attached = contents.map(parseContent);
  const stated = versions.map(parseVersion);
  const files = stated.reduce((sum, version) => sum + version.files.length, 0);
  if (files > SYNC_LIMITS.versionFiles)
    refuse(
      text(
        `the versions of one statement must have at most ${SYNC_LIMITS.versionFiles} files`,
        `一个声明中的版本最多共有 ${SYNC_LIMITS.versionFiles} 个文件`,
      ),
    );
  unique(
    attached.map(({ sha256 }) => sha256),
    text("contents must not name a digest twice", "contents 中的摘要不能重复"),
  );
  unique(
    stated.map((version) => `${version.package} ${version.version}`),
    text("versions must not name a version twice", "versions 中的版本不能重复"),
  );
  return { type, ...rules, contents: attached, versions: stated };
}

function parseContent(value: unknown, index: number): StatedContent {
  const at = `contents[${index}]`;
  if (!isRecord(value)) return mustBe(at, OBJECT);
  const { sha256, size } = value;
  if (typeof sha256 !== "string" || !isSha256(sha256))
    return mustBe(`${at}.sha256`, hexDigits(64));
  if (!isCount(size)) return mustBe(`${at}.size`, BYTES);
  if (size > SYNC_LIMITS.fileBytes)
    return refuse(
      text(
        `${at}.size must be at most ${SYNC_LIMITS.fileBytes} for an attached content: begin an upload instead`,
        `附上内容时 ${at}.size 不能超过 ${SYNC_LIMITS.fileBytes}：请改为开始上传`,
      ),
    );
  return { sha256, size };
}

const NAMES = text("a list of names", "名称列表");
const DIGEST = text(
  "sha256: and 64 lower-case hex digits",
  " sha256: 加 64 位小写十六进制数字",
);

function parseVersion(value: unknown, index: number): DescribedVersion {
  const at = `versions[${index}]`;
  if (!isRecord(value)) return mustBe(at, OBJECT);
  const {
    version,
    digest = null,
    files,
    document,
    distTags,
    sourceVersions = null,
  } = value;
  const name = value["package"];
  if (!isName(name)) return mustBe(`${at}.package`, NAME);
  if (!isName(version)) return mustBe(`${at}.version`, NAME);
  if (digest !== null && (!isDigest(digest) || !digest.startsWith("sha256:")))
    return mustBe(`${at}.digest`, DIGEST);
  if (document !== null && !isRecord(document))
    return mustBe(`${at}.document`, text("an object or null", "对象或 null"));
  if (!isNames(distTags, MOST_TAGS)) return mustBe(`${at}.distTags`, NAMES);
  if (sourceVersions !== null && !isNames(sourceVersions, MOST_SOURCE_VERSIONS))
    return mustBe(`${at}.sourceVersions`, NAMES);
  if (!Array.isArray(files) || files.length === 0)
    return mustBe(`${at}.files`, text("a list of files", "文件列表"));
  const stated = files.map((file: unknown, i) => parseFacts(file, `${at}.files[${i}]`));
  unique(
    stated.map(({ path }) => path),
    text(`${at}.files must not name a path twice`, `${at}.files 中的路径不能重复`),
  );
  const told = sourceVersions === null ? {} : { sourceVersions };
  return {
    package: name,
    version,
    digest,
    files: stated,
    document,
    distTags,
    ...told,
    ...parseAudit(value, at),
  };
}

function unique(names: string[], otherwise: Text): void {
  if (new Set(names).size < names.length) refuse(otherwise);
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= LONGEST_NAME;
const isNames = (value: unknown, most: number): value is string[] =>
  Array.isArray(value) && value.length <= most && value.every(isName);
