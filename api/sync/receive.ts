import { hash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import type { StoredBlob } from "../../activities/store/stage.ts";
import type { Store } from "../../activities/store/store.ts";
import { durable } from "../../db/durable.ts";
import type { Db } from "../../db/open.ts";
import { applyStatement, type Judged } from "../../db/stated-files.ts";
import { parsePath, PathError } from "../../domain/path.ts";
import type { FileAnswer, StatedFile } from "../../domain/sync.ts";
import type { RepositoryType } from "../../domain/vocabulary.ts";
import { fail } from "../errors.ts";
import { hostedRepository, type Named } from "./ensure.ts";
import { parseStatedFiles } from "./statement.ts";
import { readPackagings } from "./versions-packagings.ts";

/** Types whose files are stated one by one. */
const FILE_TYPES: RepositoryType[] = ["GENERIC", "MAVEN"];
/** Hashed before others get their turn. */
const HASHED_AT_ONCE = 1024 * 1024;

export type Receiver = { db: Db; store: Store; now: () => number };

type Sender = { user: string; body: Buffer };

/** What becomes of the files that another instance states (domain/sync.ts, Statement). Durable when it resolves. */
export async function receiveFiles({ db, store, now }: Receiver, named: Named, { user, body }: Sender): Promise<FileAnswer[]> {
  const { type, contents, files: stated, ...rules } = parseStatedFiles(body);
  const files = await judge(stated, contents);
  const arrived = files.flatMap(({ verdict }, i) => {
    const content = contents[i];
    return content && !verdict ? [{ content }] : [];
  });
  const packagings = type === "MAVEN" ? await readPackagings(store, stated, contents) : new Map<string, string>();
  const apply = (blobs: StoredBlob[]) => {
    // Looked up here: it may have been deleted while the body came.
    const repository = hostedRepository(db, named);
    if (type !== repository.type) fail(250106, `the repository is of type ${repository.type}, the files are of type ${type}`);
    if (!FILE_TYPES.includes(type)) fail(250112, `files are stated for ${FILE_TYPES.join(" and ")} repositories; this one is of type ${type}`);
    return applyStatement(db, repository, files, blobs, { ...rules, user, now: now(), packagings });
  };
  const answers = arrived.length > 0 ? await store.putAll(arrived, apply) : apply([]);
  await durable(db);
  return answers;
}

/** Finds what cannot be whatever is there: bad paths and damaged bytes. */
async function judge(stated: StatedFile[], contents: (Buffer | undefined)[]): Promise<Judged[]> {
  const judged: Judged[] = [];
  let hashed = 0;
  for (const [i, file] of stated.entries()) {
    const content = contents[i];
    judged.push({ ...file, verdict: refusePath(file.path) ?? (content ? refuseContent(file, content) : undefined) });
    hashed += content?.length ?? 0;
    if (hashed < HASHED_AT_ONCE) continue;
    hashed = 0;
    await setImmediate();
  }
  return judged;
}

function refusePath(path: string): FileAnswer | undefined {
  try {
    if (parsePath(path) === path) return undefined;
    return { result: "refused", code: 251011, message: "a path begins with a slash" };
  } catch (error) {
    if (error instanceof PathError) return { result: "refused", code: 251011, message: error.message };
    throw error;
  }
}

function refuseContent({ sha256 }: StatedFile, content: Buffer): FileAnswer | undefined {
  return hash("sha256", content) === sha256 ? undefined : { result: "damaged" };
}
