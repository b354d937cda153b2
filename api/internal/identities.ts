import {
  createInternalSigner,
  type InternalSigner,
} from "../../activities/secrets/internal.ts";
import { createSealer, type Sealer, tryOpen } from "../../activities/secrets/seal.ts";
import type { WorkerIdentity } from "../../activities/secrets/worker-token.ts";
import type { Db } from "../../db/open.ts";
import { workerOwner } from "../../db/secrets/sealed.ts";
import { elapsed } from "../../domain/elapsed.ts";
import { createOnce } from "./once.ts";
import { findWorker } from "../../db/secrets/workers.ts";

/** Processes of one worker whose requests are remembered; each start of one is another. */
const MOST_PROCESSES = 1_000;

/**
 * What the control plane shares with one worker: how requests are signed, and credentials are sealed. `isFirst`:
 * whether a request comes for the first time; each worker has a memory of its own, so that none can fill that of
 * another.
 */
export type Shared = {
  signer: InternalSigner;
  sealer: Sealer;
  isFirst: ReturnType<typeof createOnce>;
};

export type Identities = {
  /** Returns what is shared with the worker of this id; null for an unknown or deleted one. */
  sharedWith: (id: string) => Shared | null;
};

/**
 * Knows the identities of workers: those that people have made, in the database, and the `own` ones of workers that the
 * supervisor started, which live as long as it.
 */
export function createIdentities(
  db: Db,
  root: Sealer,
  own: readonly WorkerIdentity[],
): Identities {
  const begun = elapsed() - 1;
  const share = (identity: WorkerIdentity): Shared => ({
    signer: createInternalSigner(identity),
    sealer: createSealer(identity.secret),
    isFirst: createOnce(Date.now, MOST_PROCESSES, elapsed, begun),
  });
  const ofOwn = new Map(own.map((identity) => [identity.id, share(identity)]));
  const made = new Map<string, { sealed: string; shared: Shared | null }>();

  return {
    sharedWith(id) {
      const mine = ofOwn.get(id);
      if (mine !== undefined) return mine;
      const row = findWorker(db, id);
      if (row === null) {
        made.delete(id);
        return null;
      }
      const known = made.get(id);
      if (known?.sealed === row.secret) return known.shared;
      // One that was sealed with a lost key is as unknown as one that was deleted.
      const secret = tryOpen(root, row.secret, workerOwner(id));
      const shared = secret === null ? null : share({ id, secret });
      made.set(id, { sealed: row.secret, shared });
      return shared;
    },
  };
}
