import { hash } from "node:crypto";
import { hashTurn } from "../../../activities/store/hash-turns.ts";
import type { Store } from "../../../activities/store/store.ts";
import { blobFacts } from "../../../db/content/blobs.ts";
import type { Db } from "../../../db/open.ts";
import type { JudgedVersion } from "../../../db/packages/stated-applying.ts";
import { findPackage, findVersion } from "../../../db/packages/versions.ts";
import { turn } from "../../../db/turns.ts";
import {
  announcesTarball,
  integrityProblem,
  type TarballDigests,
} from "../../../domain/npm/integrity.ts";
import { waitAtMost } from "../../http/wait-at-most.ts";

/** Number of versions to look up before other work gets its turn. */
const STEP = 50;

type Deps = { db: Db; store: Pick<Store, "digestOf"> };

/**
 * Compares the documents of npm versions with their tarballs, if these are `attached` (by sha256)
 * or in the store. A version whose document states the hash of another tarball gets a refusal. A
 * version that exists with its tarball, which is not damaged, is not compared. Throws 503 if the comparison takes too
 * long.
 */
export async function fitTarballs(
  deps: Deps,
  repositoryId: number,
  versions: readonly JudgedVersion[],
  attached: ReadonlyMap<string, Buffer>,
): Promise<JudgedVersion[]> {
  const wait = waitAtMost();
  const fitted: JudgedVersion[] = [];
  try {
    for (const [at, version] of versions.entries()) {
      if (at % STEP === 0) await turn("answer");
      fitted.push(
        version.verdict
          ? version
          : await wait.until(fit(deps, repositoryId, version, attached)),
      );
    }
  } finally {
    wait.over();
  }
  return fitted;
}

async function fit(
  deps: Deps,
  repositoryId: number,
  version: JudgedVersion,
  attached: ReadonlyMap<string, Buffer>,
): Promise<JudgedVersion> {
  const { package: name, version: number, document, files } = version;
  const sha256 = files[0]?.sha256 ?? null;
  if (document === null || sha256 === null) return version;
  if (!announcesTarball(document)) return { ...version, fits: true };
  const digests = isMade(deps.db, repositoryId, version, sha256)
    ? null
    : await digestsOf(deps, sha256, attached.get(sha256));
  if (digests === null) return version;
  const problem = integrityProblem(document, digests);
  if (problem === null) return { ...version, fits: true };
  return {
    ...version,
    verdict: {
      result: "refused",
      reason: "digest",
      message: `the document of ${name}@${number} belongs to another tarball: ${problem}`,
    },
  };
}

function isMade(
  db: Db,
  repositoryId: number,
  { package: name, version }: JudgedVersion,
  sha256: string,
): boolean {
  const owner = findPackage(db, repositoryId, name);
  return (
    owner !== undefined &&
    findVersion(db, owner.id, version)?.digest === `sha256:${sha256}` &&
    blobFacts(db, [sha256]).has(sha256)
  );
}

/**
 * Returns the digests of a tarball; null if it is not in the store or cannot be read: it must then
 * be requested from the sender.
 */
async function digestsOf(
  { db, store }: Deps,
  sha256: string,
  content: Buffer | undefined,
): Promise<TarballDigests | null> {
  if (content) {
    await hashTurn(content.length);
    return { sha1: hash("sha1", content), sha256, sha512: hash("sha512", content) };
  }
  if (!blobFacts(db, [sha256]).has(sha256)) return null;
  const read = Promise.all([
    store.digestOf(sha256, "sha1"),
    store.digestOf(sha256, "sha512"),
  ]);
  return read.then(([sha1, sha512]) => ({ sha1, sha256, sha512 })).catch(() => null);
}
