import { encodeStatement } from "../../../domain/sync.ts";
import { VERSIONS_MEDIA_TYPE, type VersionAnswer, type VersionFile, type VersionsAnswer, type VersionsStatement } from "../../../domain/sync-versions.ts";
import { isCount, malformed } from "./answers.ts";
import { postStatement, repositoryPath, type RemoteRepository, type SendHooks } from "./send.ts";
import { isRecord, type Wire } from "./wire.ts";

export async function sendVersions(wire: Wire, remote: RemoteRepository, statement: VersionsStatement, contents: Uint8Array[], hooks: SendHooks): Promise<VersionsAnswer> {
  const what = `versions to ${remote.projectId}/${remote.repoName}`;
  const post = { what, path: `versions/${repositoryPath(remote)}`, mediaType: VERSIONS_MEDIA_TYPE };
  const answer = readAnswers(await postStatement(wire, post, encodeStatement(statement), contents, hooks), statement);
  if (answer === null) throw malformed(what);
  return answer;
}

function readAnswers(data: unknown, { versions: stated }: VersionsStatement): VersionsAnswer | null {
  const { versions, damaged } = isRecord(data) ? data : {};
  if (!Array.isArray(versions) || versions.length !== stated.length || !isTexts(damaged)) return null;
  const answers = versions.flatMap((answer: unknown, at) => readAnswer(answer, stated[at]?.files ?? []) ?? []);
  return answers.length === versions.length ? { versions: answers, damaged } : null;
}

/** `files`: the version's own; it can need no other contents. */
function readAnswer(data: unknown, files: VersionFile[]): VersionAnswer | null {
  if (!isRecord(data)) return null;
  const { result, existing, written, path, files: needed, code, message } = data;
  switch (result) {
    case "same":
    case "damaged":
    case "stopped":
      return { result };
    case "made":
      return isCount(written) ? { result, written } : null;
    case "replaced":
      return isCount(written) && typeof existing === "string" ? { result, written, existing } : null;
    case "conflict":
      return typeof existing === "string" && typeof path === "string" ? { result, existing, path } : null;
    case "need":
      return isTexts(needed) && needed.length > 0 && isPartOf(needed, files) ? { result, files: needed } : null;
    case "refused":
      if (typeof code !== "number" || typeof message !== "string") return null;
      return { result, code, message, ...(typeof existing === "string" ? { existing } : {}) };
    default:
      return null;
  }
}

function isPartOf(needed: string[], files: VersionFile[]): boolean {
  const own = new Set(files.map(({ sha256 }) => sha256));
  return needed.every((sha256) => own.has(sha256));
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((text) => typeof text === "string");
