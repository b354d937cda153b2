import { PREFIXES } from "../../activities/store/layout.ts";
import type { Seen } from "../../activities/store/damage.ts";
import type { Store } from "../../activities/store/store.ts";
import { unknownBlobs } from "../../db/content/blobs.ts";
import { filesOf, unregisteredContents } from "../../db/content/damage.ts";
import { nextBlob } from "../../db/content/scrub.ts";
import type { Db } from "../../db/open.ts";

/** A finding about one content: `orphaned` is one that no file and no row names, which harms nobody. */
export type Finding = {
  kind: "missing" | "wrong" | "orphaned";
  sha256: string;
  /** The first files that need the content, as project/repository/path, and the number of all. */
  files: string[];
  count: number;
  /** What was looked at; null: the content is not registered, so nothing can be condemned. */
  seen: Seen | null;
};

type Verifying = {
  db: Db;
  store: Pick<Store, "custody" | "digests">;
  /** Called now and then while a content is read. */
  reading: () => void;
  /** Called after each registered content, with its size in bytes. */
  passed: (size: number) => void;
  found: (finding: Finding) => void;
};

/** Reads all contents of a store that no service uses, and calls `found` for each that is not as it should be. */
export async function verifyStore(verifying: Verifying): Promise<void> {
  const { db, store, passed, found } = verifying;
  const pace = async () => verifying.reading();
  let next = nextBlob(db, "");
  for (; next !== undefined; next = nextBlob(db, next.sha256)) {
    const seen = await store.custody.examine(next.sha256, pace);
    if (seen) found(findingOf(db, seen.cause, seen.sha256, seen));
    passed(next.size);
  }
  for (const sha256 of unregisteredContents(db)) {
    const seen = await store.custody.examine(sha256, pace);
    // Right bytes of a content that is noted as damaged are found again when the service runs.
    if (seen) found(findingOf(db, seen.cause, sha256, null));
  }
  for (const prefix of PREFIXES)
    for (const sha256 of unknownBlobs(db, await store.digests(prefix)))
      found({ kind: "orphaned", sha256, files: [], count: 0, seen: null });
}

const KINDS = { MISSING: "missing", WRONG: "wrong" } as const;

const findingOf = (
  db: Db,
  cause: Seen["cause"],
  sha256: string,
  seen: Seen | null,
): Finding => ({ kind: KINDS[cause], sha256, ...filesOf(db, sha256), seen });
