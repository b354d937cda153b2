import { eq } from "drizzle-orm";
import { isHostedVersionType } from "../../domain/repository-types.ts";
import type { SourceVersion, VersionKey } from "../../domain/sync-versions.ts";
import type { Db } from "../open.ts";
import { repository } from "../schema/content.ts";
import type { Reading } from "./stated-source.ts";
import { PACKAGE_TYPES } from "./types.ts";
import { findPackage, findVersion } from "./versions.ts";

/**
 * Maximum length of an answer in characters of JSON; a single version that is longer is returned
 * anyway.
 */
const MOST_ANSWERED = 4 * 1024 ** 2;

/**
 * Reads versions as another instance gets them, all at one moment, each as the JSON of a
 * SourceVersion, in the order of `keys`. Stops when the answer is full: the first version is always
 * returned, the caller asks again for the rest.
 */
export function readSourceVersions(
  db: Db,
  repositoryId: number,
  keys: readonly VersionKey[],
  now: number,
): string[] {
  return db.transaction((tx) => {
    const answers: string[] = [];
    let length = 0;
    for (const key of keys) {
      const answer = JSON.stringify(readVersion({ db, tx, repositoryId, now }, key));
      length += answer.length;
      if (answers.length > 0 && length > MOST_ANSWERED) break;
      answers.push(answer);
    }
    return answers;
  });
}

function readVersion(reading: Reading, key: VersionKey): SourceVersion {
  const { tx, repositoryId } = reading;
  const owner = findPackage(tx, repositoryId, key.name);
  const row = owner && findVersion(tx, owner.id, key.version);
  const { type } =
    tx
      .select({ type: repository.type })
      .from(repository)
      .where(eq(repository.id, repositoryId))
      .get() ?? {};
  if (!row || !type || !isHostedVersionType(type)) return { kind: "gone" };
  return PACKAGE_TYPES[type].read(reading, owner, row);
}
