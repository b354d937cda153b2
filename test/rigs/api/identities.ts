import { createInternalSigner } from "../../../activities/secrets/internal.ts";
import { createSealer } from "../../../activities/secrets/seal.ts";
import type { WorkerIdentity } from "../../../activities/secrets/worker-token.ts";
import { createOnce } from "../../../api/internal/once.ts";
import { elapsed } from "../../../domain/elapsed.ts";
import type { Identities } from "../../../api/internal/identities.ts";

/** Knows one worker, without a database. */
export function identitiesOf(identity: WorkerIdentity): Identities {
  const shared = {
    signer: createInternalSigner(identity),
    sealer: createSealer(identity.secret),
    isFirst: createOnce(Date.now, undefined, elapsed),
  };
  return { sharedWith: (id) => (id === identity.id ? shared : null) };
}
