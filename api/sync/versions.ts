import { summariseAll } from "../../activities/store/digests.ts";
import { putBlobs } from "../../db/blobs.ts";
import { durable } from "../../db/durable.ts";
import { write } from "../../db/open.ts";
import { applyVersions, type JudgedVersion } from "../../db/packages/stated-versions.ts";
import { turn } from "../../db/turns.ts";
import { STATED_TYPES, type StatedVersion, type VersionAnswer, type VersionsAnswer } from "../../domain/sync-versions.ts";
import { fail } from "../errors.ts";
import { hostedRepository, type Named } from "./ensure.ts";
import type { Receiver } from "./receive.ts";
import { judgeVersion } from "./versions-judge.ts";
import { parseStatedVersions } from "./versions-statement.ts";

/** Versions of one transaction: others get their turn after it. */
const APPLIED_AT_ONCE = 20;

type Sender = { user: string; body: Buffer };

/** What becomes of the versions that another instance states (domain/sync-versions.ts). Durable when it resolves. */
export async function receiveVersions({ db, store, now }: Receiver, named: Named, { user, body }: Sender): Promise<VersionsAnswer> {
  const { type, contents, bytes, versions, ...rules } = parseStatedVersions(body);
  const summaries = await summariseAll(bytes);
  const damaged = new Set(contents.flatMap(({ sha256 }, i) => (summaries[i]?.sha256 === sha256 ? [] : [sha256])));
  const judged = versions.map((version): JudgedVersion => ({ ...version, verdict: judgeVersion(type, version) ?? arrivedDamaged(version, damaged) }));
  const arrived = bytes.map((content, i) => ({ content, summary: summaries[i] })).filter((_, i) => !damaged.has(contents[i]?.sha256 ?? ""));
  // Looked up in each transaction: it may have been deleted while the body came.
  const find = () => {
    const repository = statableRepository(db, named);
    if (type !== repository.type) fail(250106, `the repository is of type ${repository.type}, the versions are of type ${type}`);
    return repository;
  };
  find();
  await store.putAll(arrived, (blobs) => write(db, (tx) => putBlobs(tx, blobs, now())));
  const answers: VersionAnswer[] = [];
  for (let at = 0; at < judged.length; at += APPLIED_AT_ONCE) {
    await turn("answer");
    const stopped = rules.conflictStrategy === "FAST_FAIL" && answers.some(({ result }) => result === "conflict");
    answers.push(...applyVersions(db, find(), judged.slice(at, at + APPLIED_AT_ONCE), { ...rules, user, now: now() }, stopped));
  }
  await durable(db);
  return { versions: answers, damaged: [...damaged] };
}

/** The hosted repository that versions are stated for. */
export function statableRepository(db: Receiver["db"], named: Named) {
  const repository = hostedRepository(db, named);
  const known = STATED_TYPES.some((type) => type === repository.type);
  if (!known) fail(250112, `${named.projectId}/${named.repoName} is of type ${repository.type}; versions are stated for ${STATED_TYPES.join(" and ")}`);
  return repository;
}

function arrivedDamaged({ files }: StatedVersion, damaged: Set<string>): JudgedVersion["verdict"] {
  return files.some(({ sha256 }) => damaged.has(sha256)) ? { result: "damaged" } : undefined;
}
