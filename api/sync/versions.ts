import { summariseAll } from "../../activities/store/digests.ts";
import { putBlobs } from "../../db/content/blobs.ts";
import { durable } from "../../db/durable.ts";
import { write } from "../../db/open.ts";
import type { JudgedVersion } from "../../db/packages/stated-applying.ts";
import { applyVersions } from "../../db/packages/stated-versions.ts";
import type { RepositoryRow } from "../../db/content/repositories.ts";
import { turn } from "../../db/turns.ts";
import { isHostedVersionType } from "../../domain/repository-types.ts";
import {
  STATED_TYPES,
  type DescribedVersion,
  type StatedType,
  type VersionAnswer,
  type VersionsAnswer,
} from "../../domain/sync-versions.ts";
import { text } from "../../domain/text.ts";
import { lookAtContents } from "../content/look.ts";
import { fail } from "../http/errors.ts";
import { VERSIONS } from "../hosted/index.ts";
import { hostedRepository, type RepositoryName } from "../http/repository.ts";
import { readFacts } from "./facts.ts";
import type { Receiver } from "./receive.ts";
import { otherType, withCode } from "./refusals.ts";
import { judgeVersion } from "./versions-judge.ts";
import { parseStatedVersions } from "./versions-statement.ts";

/** Number of versions in one transaction; other work gets its turn after it. */
const APPLIED_AT_ONCE = 20;

type Sender = { user: string; body: Buffer };

/**
 * Applies the declaration of versions by another instance (domain/sync-versions.ts) and returns its
 * answers. When the promise resolves, everything is durable.
 */
export async function receiveVersions(
  receiver: Receiver,
  named: RepositoryName,
  { user, body }: Sender,
): Promise<VersionsAnswer> {
  const { db, store, now } = receiver;
  const { type, contents, bytes, versions, ...rules } = await parseStatedVersions(body);
  const summaries = await summariseAll(bytes);
  const damaged = new Set(
    contents.flatMap(({ sha256 }, i) =>
      summaries[i]?.sha256 === sha256 ? [] : [sha256],
    ),
  );
  // The repository is looked up in each transaction because it may have been deleted while the body
  // arrived.
  const find = () => {
    const repository = statableRepository(db, named);
    if (type !== repository.type)
      fail(250106, otherType(repository.type, type, "versions"));
    return repository;
  };
  const { id } = find();
  const whole = bytes.map((content, i) => ({ content, summary: summaries[i] }));
  const arrived = whole.filter((_, i) => !damaged.has(contents[i]?.sha256 ?? ""));
  const attached = new Map(
    arrived.map(({ content, summary }) => [summary?.sha256 ?? "", content]),
  );
  const judged = versions.map((version): JudgedVersion => judge(type, version, damaged));
  const prepared = await VERSIONS[type].prepare(receiver, id, judged, attached);
  const open = prepared.filter(({ verdict }) => !verdict);
  await lookAtContents(
    receiver,
    open.flatMap(({ files }) => files.flatMap(({ sha256 }) => sha256 ?? [])),
  );
  const facts = await readFacts(
    receiver,
    id,
    open.flatMap(({ files }) => files),
    now(),
  );
  await store.putAll(arrived, (blobs) => write(db, (tx) => putBlobs(tx, blobs, now())));
  const answers: VersionAnswer[] = [];
  for (let at = 0; at < prepared.length; at += APPLIED_AT_ONCE) {
    await turn("answer");
    const stopped =
      rules.conflictStrategy === "FAST_FAIL" &&
      answers.some(({ result }) => result === "conflict");
    const some = prepared.slice(at, at + APPLIED_AT_ONCE);
    const decided = applyVersions(
      db,
      find(),
      some,
      { ...rules, user, now: now(), facts },
      stopped,
    );
    answers.push(...decided.map(withCode));
  }
  await durable(db);
  return { versions: answers, damaged: [...damaged] };
}

function judge(
  type: StatedType,
  version: DescribedVersion,
  damaged: ReadonlySet<string>,
): JudgedVersion {
  const isDamaged = version.files.some(
    ({ sha256 }) => sha256 !== null && damaged.has(sha256),
  );
  return {
    ...version,
    verdict:
      judgeVersion(type, version) ?? (isDamaged ? { result: "damaged" } : undefined),
    fits: false,
  };
}

/**
 * Returns the hosted repository for which versions are declared. Throws 250112 if it is linked or
 * its type has no declared versions, 251004 or 251006 if it does not exist.
 */
export function statableRepository(
  db: Receiver["db"],
  named: RepositoryName,
): RepositoryRow & { type: StatedType } {
  const repository = hostedRepository(db, named);
  const { type } = repository;
  if (isHostedVersionType(type)) return { ...repository, type };
  const name = `${named.projectId}/${named.repoName}`;
  const why = text(
    `${name} is of type ${type}; versions can be declared only for ${STATED_TYPES.join(" and ")} repositories`,
    `${name} 的类型是 ${type}；只能为 ${STATED_TYPES.join(" 和 ")} 仓库声明版本`,
  );
  return fail(250112, why);
}
