import { blobFacts } from "../../db/content/blobs.ts";
import { statPaths } from "../../db/content/nodes.ts";
import type { Db } from "../../db/open.ts";
import type { Facts } from "../../db/packages/stated-applying.ts";
import { turn } from "../../db/turns.ts";
import {
  strongestDigest,
  type ContentFacts,
  type OtherAlgorithm,
} from "../../domain/content-digests.ts";
import type { DescribedFile } from "../../domain/sync.ts";
import { type ContentDeps, noteDamage } from "../content/damage.ts";
import { lookAtContents } from "../content/look.ts";
import { type Patience, waitAtMost } from "../http/wait-at-most.ts";

/** Number of files to look up before other work gets its turn. */
const STEP = 200;

type Wanted = { sha256: string; algorithm: OtherAlgorithm };

/**
 * Finds the digests by which declared files without a sha256 are compared with the contents at
 * their paths. Reads contents whose digests are not known yet, and throws 503 if that takes too
 * long. Contents that cannot be read get none.
 */
export async function readFacts(
  deps: ContentDeps,
  repositoryId: number,
  files: readonly DescribedFile[],
  now: number,
): Promise<Facts> {
  const facts = new Map<string, ContentFacts>();
  const unread = files.filter((file) => file.sha256 === null);
  if (unread.length === 0) return facts;
  const wait = waitAtMost();
  try {
    for (let at = 0; at < unread.length; at += STEP) {
      await turn("answer");
      const wanted = wantedOf(deps.db, repositoryId, unread.slice(at, at + STEP), now);
      const digests = wanted.map(({ sha256 }) => sha256);
      await lookAtContents(deps, digests);
      for (const [sha256, known] of blobFacts(deps.db, digests))
        facts.set(sha256, { ...known, ...facts.get(sha256) });
      for (const each of wanted) await learn(deps, facts, each, wait.until);
    }
  } finally {
    wait.over();
  }
  return facts;
}

/**
 * Returns the strongest stated digest of each file for which a content of the same size exists at
 * its path.
 */
function wantedOf(
  db: Db,
  repositoryId: number,
  files: readonly DescribedFile[],
  now: number,
): Wanted[] {
  const there = statPaths(
    db,
    repositoryId,
    files.map(({ path }) => path),
    now,
  );
  return files.flatMap((file): Wanted[] => {
    const algorithm = strongestDigest(file);
    const found = there.get(file.path);
    if (!found?.sha256 || algorithm === undefined) return [];
    return file.size === null || file.size === found.size
      ? [{ sha256: found.sha256, algorithm }]
      : [];
  });
}

async function learn(
  deps: ContentDeps,
  facts: Map<string, ContentFacts>,
  { sha256, algorithm }: Wanted,
  until: Patience["until"],
): Promise<void> {
  const known = facts.get(sha256);
  if (!known || known[algorithm] !== undefined) return;
  // If the content is missing, there is no digest, and the file is requested from the sender.
  const reading = deps.store.digestOf(sha256, algorithm).catch((error: unknown) => {
    noteDamage(deps, error);
    return null;
  });
  const digest = await until(reading);
  if (digest !== null) facts.set(sha256, { ...known, [algorithm]: digest });
}
