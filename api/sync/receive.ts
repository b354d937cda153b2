import { type Summary, summariseAll } from "../../activities/store/digests.ts";
import type { StoredBlob } from "../../activities/store/stage.ts";
import { durable } from "../../db/durable.ts";
import { applyStatement, type Judged } from "../../db/packages/stated-files.ts";
import { parsePath, PathError } from "../../domain/path.ts";
import { HOSTED_FILE_TYPES, isHostedFileType } from "../../domain/repository-types.ts";
import type { DescribedEntry, FileAnswer, Refusal } from "../../domain/sync.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { text, type Text } from "../../domain/text.ts";
import type { ContentDeps } from "../content/damage.ts";
import { lookAtContents } from "../content/look.ts";
import { fail } from "../http/errors.ts";
import { FILES } from "../hosted/index.ts";
import { hostedRepository, type RepositoryName } from "../http/repository.ts";
import { readFacts } from "./facts.ts";
import { otherType, withCode } from "./refusals.ts";
import { parseStatedFiles } from "./statement.ts";

export type Receiver = ContentDeps;

type Sender = { user: string; body: Buffer };

/**
 * Applies the declaration of files by another instance (domain/sync.ts, Statement) and returns its
 * answers. When the promise resolves, everything is durable.
 */
export async function receiveFiles(
  receiver: Receiver,
  named: RepositoryName,
  { user, body }: Sender,
): Promise<FileAnswer[]> {
  const { db, store, now } = receiver;
  const { type, contents, files: stated, ...rules } = parseStatedFiles(body);
  const summaries = await summariesOf(contents);
  const files = stated.map((file, i) => judge(file, summaries.get(contents[i])));
  const kept = contents.flatMap((content, i) =>
    content && !files[i]?.verdict ? [{ content, summary: summaries.get(content) }] : [],
  );
  const readings = isHostedFileType(type)
    ? await FILES[type].read(store, stated, contents)
    : new Map<string, string>();
  await lookAtContents(
    receiver,
    files.flatMap(({ sha256 }) => sha256 ?? []),
  );
  const facts = await readFacts(receiver, hostedRepository(db, named).id, files, now());
  const apply = (blobs: StoredBlob[]) => {
    // The repository is looked up again because it may have been deleted while the body arrived.
    const repository = hostedRepository(db, named);
    if (type !== repository.type) fail(250106, otherType(repository.type, type, "files"));
    if (!isHostedFileType(type)) return fail(250112, withoutFiles(type));
    return applyStatement(db, { ...repository, type }, files, blobs, {
      ...rules,
      user,
      now: now(),
      readings,
      facts,
    });
  };
  const answers = kept.length > 0 ? await store.putAll(kept, apply) : apply([]);
  await durable(db);
  return answers.map(withCode);
}

const withoutFiles = (type: RepositoryType): Text =>
  text(
    `this repository is of type ${type}; ` +
      `files can be declared only for ${HOSTED_FILE_TYPES.join(" and ")} repositories`,
    `此仓库的类型是 ${type}；只能为 ${HOSTED_FILE_TYPES.join(" 和 ")} 仓库声明文件`,
  );

async function summariesOf(
  contents: (Buffer | undefined)[],
): Promise<Map<Buffer | undefined, Summary>> {
  const attached = contents.filter((content) => content !== undefined);
  const summaries = await summariseAll(attached);
  return new Map(summaries.map((summary, i) => [attached[i], summary]));
}

/**
 * Judges a declared file without regard to existing ones: sets a verdict for a bad path or damaged
 * bytes.
 */
function judge(file: DescribedEntry, arrived: Summary | undefined): Judged {
  const damaged = arrived !== undefined && arrived.sha256 !== file.sha256;
  return {
    ...file,
    verdict: refusePath(file.path) ?? (damaged ? { result: "damaged" } : undefined),
  };
}

function refusePath(path: string): Refusal | undefined {
  try {
    if (parsePath(path) === path) return undefined;
    return {
      result: "refused",
      reason: "path",
      message: "the path must begin with a slash",
    };
  } catch (error) {
    if (error instanceof PathError)
      return { result: "refused", reason: "path", message: error.message };
    throw error;
  }
}
