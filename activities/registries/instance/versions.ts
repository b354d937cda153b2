import { isRecord } from "../../../domain/json.ts";
import { type DescribedFile, encodeStatement } from "../../../domain/sync.ts";
import {
  type DescribedVersion,
  needAnswer,
  VERSIONS_MEDIA_TYPE,
  type VersionAnswer,
  type VersionsAnswer,
  type VersionsStatement,
} from "../../../domain/sync-versions.ts";
import { isCount, malformed, readEach } from "./answers.ts";
import {
  comparedBytes,
  postStatement,
  repositoryPath,
  type RemoteRepository,
  type SendHooks,
} from "./send.ts";
import type { Shown } from "../foreign.ts";
import type { Wire } from "./wire.ts";

/**
 * Declares package versions. Files without a sha256 or a size require the feature `versionsByOtherDigests` at the
 * target.
 */
export async function sendVersions(
  wire: Wire,
  remote: RemoteRepository,
  statement: VersionsStatement<DescribedVersion>,
  contents: Uint8Array[],
  hooks: SendHooks,
): Promise<VersionsAnswer> {
  const what = `versions to ${remote.projectId}/${remote.repoName}`;
  const files = statement.versions.flatMap((version) => version.files);
  const post = {
    what,
    path: `versions/${repositoryPath(remote)}`,
    mediaType: VERSIONS_MEDIA_TYPE,
  };
  const data = await postStatement(
    wire,
    { ...post, storedBytes: comparedBytes(files) },
    encodeStatement(statement),
    contents,
    hooks,
  );
  return readAnswers(data, statement, what, wire.shown);
}

async function readAnswers(
  data: unknown,
  { versions: stated }: VersionsStatement<DescribedVersion>,
  what: string,
  shown: Shown,
): Promise<VersionsAnswer> {
  const { versions, damaged } = isRecord(data) ? data : {};
  if (!Array.isArray(versions) || versions.length !== stated.length || !isTexts(damaged))
    throw malformed(what);
  const answers = await readEach(versions, what, shown, (answer, at, within) =>
    readAnswer(answer, stated[at]?.files ?? [], within),
  );
  return { versions: answers, damaged };
}

/**
 * Parses the answer for one version; null when it does not follow the protocol. `files`: the files of that
 * version; the answer may demand no other contents.
 */
function readAnswer(
  data: unknown,
  files: DescribedFile[],
  shown: Shown,
): VersionAnswer | null {
  if (!isRecord(data)) return null;
  const { result, written, path, files: needed, paths = [], code, message } = data;
  const existing =
    typeof data["existing"] === "string" ? shown(data["existing"]) : undefined;
  switch (result) {
    case "same":
    case "damaged":
    case "stopped":
      return { result };
    case "made":
      return isCount(written) ? { result, written } : null;
    case "replaced":
      return isCount(written) && existing !== undefined
        ? { result, written, existing }
        : null;
    case "conflict":
      return existing !== undefined && typeof path === "string"
        ? { result, existing, path: shown(path) }
        : null;
    case "need":
      return isTexts(needed) && isTexts(paths) && isOwn(needed, paths, files)
        ? needAnswer(needed, paths)
        : null;
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

/**
 * Whether at least one content is needed, and each needed content belongs to a file of this version: `needed`
 * names files by sha256, `paths` those that were declared without one.
 */
function isOwn(needed: string[], paths: string[], files: DescribedFile[]): boolean {
  if (needed.length + paths.length === 0) return false;
  const digests = new Set(files.map(({ sha256 }) => sha256));
  const unread = new Set(
    files.filter(({ sha256 }) => sha256 === null).map(({ path }) => path),
  );
  return (
    needed.every((sha256) => digests.has(sha256)) &&
    paths.every((path) => unread.has(path))
  );
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((text) => typeof text === "string");
