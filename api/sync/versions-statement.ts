import { isSha256 } from "../../activities/store/layout.ts";
import { isDigest } from "../../domain/digest.ts";
import { SYNC_LIMITS } from "../../domain/sync.ts";
import {
  MOST_SOURCE_VERSIONS,
  STATED_TYPES,
  type DescribedVersion,
  type StatedContent,
  type VersionsStatement,
} from "../../domain/sync-versions.ts";
import { isRecord } from "../http/is-record.ts";
import {
  isCount,
  LENGTH_BYTES,
  parseAudit,
  parseFacts,
  parseHead,
  parseRules,
  refuse,
} from "./statement.ts";

export const LONGEST_VERSIONS_BODY =
  LENGTH_BYTES + SYNC_LIMITS.versionBytes + SYNC_LIMITS.contentBytes;
const LONGEST_NAME = 1024;
const MOST_TAGS = 10_000;

/** A statement of versions and the bytes behind it; `bytes[i]` belongs to `contents[i]`. */
type StatedVersions = VersionsStatement<DescribedVersion> & { bytes: Buffer[] };

/** Parses the body of a statement of versions (domain/sync-versions.ts, VersionsStatement). */
export function parseStatedVersions(body: Buffer): StatedVersions {
  const statement = parseStatement(parseHead(body, SYNC_LIMITS.versionBytes));
  let at = LENGTH_BYTES + body.readUInt32BE(0);
  const bytes = statement.contents.map(({ size }) => {
    const content = body.subarray(at, at + size);
    at += size;
    return content;
  });
  if (at !== body.length)
    refuse(
      `the body has ${body.length} bytes; its statement and the contents have ${at}`,
    );
  return { ...statement, bytes };
}

function parseStatement(value: unknown): VersionsStatement<DescribedVersion> {
  if (!isRecord(value)) return refuse("the statement must be an object");
  const { contents, versions } = value;
  const type =
    STATED_TYPES.find((known) => known === value["type"]) ??
    refuse(`type must be one of ${STATED_TYPES.join(", ")}`);
  if (!Array.isArray(contents)) return refuse("contents must be a list");
  if (!Array.isArray(versions) || versions.length > SYNC_LIMITS.versions)
    return refuse(`versions must be a list of at most ${SYNC_LIMITS.versions}`);
  const rules = parseRules(value);
  const attached = contents.map(parseContent);
  const stated = versions.map(parseVersion);
  const files = stated.reduce((sum, version) => sum + version.files.length, 0);
  if (files > SYNC_LIMITS.versionFiles)
    refuse(
      `the versions of one statement must have at most ${SYNC_LIMITS.versionFiles} files`,
    );
  unique(
    attached.map(({ sha256 }) => sha256),
    "contents must not name a digest twice",
  );
  unique(
    stated.map((version) => `${version.package} ${version.version}`),
    "versions must not name a version twice",
  );
  return { type, ...rules, contents: attached, versions: stated };
}

function parseContent(value: unknown, index: number): StatedContent {
  const at = `contents[${index}]`;
  if (!isRecord(value)) return refuse(`${at} must be an object`);
  const { sha256, size } = value;
  if (typeof sha256 !== "string" || !isSha256(sha256))
    return refuse(`${at}.sha256 must be 64 lower-case hex digits`);
  if (!isCount(size)) return refuse(`${at}.size must be a number of bytes`);
  if (size > SYNC_LIMITS.fileBytes)
    return refuse(`${at}.size must be at most ${SYNC_LIMITS.fileBytes}: begin an upload`);
  return { sha256, size };
}

function parseVersion(value: unknown, index: number): DescribedVersion {
  const at = `versions[${index}]`;
  if (!isRecord(value)) return refuse(`${at} must be an object`);
  const {
    version,
    digest = null,
    files,
    document,
    distTags,
    sourceVersions = null,
  } = value;
  const name = value["package"];
  if (!isName(name)) return refuse(`${at}.package must be a name`);
  if (!isName(version)) return refuse(`${at}.version must be a name`);
  if (digest !== null && (!isDigest(digest) || !digest.startsWith("sha256:")))
    return refuse(`${at}.digest must be sha256: and 64 lower-case hex digits`);
  if (document !== null && !isRecord(document))
    return refuse(`${at}.document must be an object or null`);
  if (!isNames(distTags, MOST_TAGS))
    return refuse(`${at}.distTags must be a list of names`);
  if (sourceVersions !== null && !isNames(sourceVersions, MOST_SOURCE_VERSIONS))
    return refuse(`${at}.sourceVersions must be a list of names`);
  if (!Array.isArray(files) || files.length === 0)
    return refuse(`${at}.files must be a list of files`);
  const stated = files.map((file: unknown, i) => parseFacts(file, `${at}.files[${i}]`));
  unique(
    stated.map(({ path }) => path),
    `${at}.files must not name a path twice`,
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

function unique(names: string[], otherwise: string): void {
  if (new Set(names).size < names.length) refuse(otherwise);
}

const isName = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= LONGEST_NAME;
const isNames = (value: unknown, most: number): value is string[] =>
  Array.isArray(value) && value.length <= most && value.every(isName);
