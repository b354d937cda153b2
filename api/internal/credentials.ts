import { Hono } from "hono";
import { openCredentials } from "../../activities/secrets/credentials.ts";
import type { RegistryTokens } from "../../activities/secrets/registry-token.ts";
import type { Sealer } from "../../activities/secrets/seal.ts";
import type { Db } from "../../db/open.ts";
import { secretOwner } from "../../db/content/repositories.ts";
import { clusterOwner } from "../../db/secrets/sealed.ts";
import { isOver } from "../../db/records/halts.ts";
import { snapshotOf } from "../../db/records/snapshots.ts";
import { isImageType } from "../../domain/repository-types.ts";
import type {
  Endpoint,
  MetRealm,
  RegistryTokenAnswer,
} from "../../domain/worker-messages.ts";
import type { ApiDeps, Env, Logger } from "../deps.ts";
import { keepRealm } from "../keys/realms.ts";

/** How long (s) a worker may read a hosted repository's images with one token. */
const TOKEN_LIFE_S = 900;

/** Returns an end with its credentials sealed to one worker. Those that may not be sent to its address are left out. */
export function sealedTo<E extends Endpoint>(worker: Sealer, root: Sealer, end: E): E {
  const { secret, sealedFor, url } = end;
  if (secret === null) return end;
  try {
    const opened = openCredentials(root, sealedFor, url, secret);
    // The field secretKey of a cluster is stored only.
    const { secretKey: _stored, ...sent } = opened;
    return { ...end, secret: worker.seal(JSON.stringify(sent), sealedFor) };
  } catch {
    return { ...end, secret: null, unreadable: true };
  }
}

type CredentialDeps = Pick<ApiDeps, "sealer"> & {
  db: Db;
  logger: Pick<Logger, "warn">;
  registryTokens: Pick<RegistryTokens, "issue">;
};

/** Serves workers that read this instance's own images, and those that have met a token realm. */
export function credentialRoutes(deps: CredentialDeps): Hono<Env> {
  const { db, registryTokens } = deps;
  return new Hono<Env>()
    .post("/registry-tokens", async (c) => {
      const { recordId, repository } = await c.req.json<{
        recordId: string;
        repository: string;
      }>();
      if (!readsImages(db, recordId, repository))
        return c.text(`run ${recordId} does not read images of ${repository} now`, 403);
      const scope = { name: `${repository}/`, actions: ["pull"] as const };
      const token = registryTokens.issue([scope], TOKEN_LIFE_S);
      return c.json({ token, seconds: TOKEN_LIFE_S } satisfies RegistryTokenAnswer);
    })
    .post("/realms", async (c) => {
      const { recordId, sealedFor: owner, url, realm } = await c.req.json<MetRealm>();
      const isNoted = ownersOf(db, recordId).includes(owner) && URL.canParse(url);
      if (isNoted) keepRealm(deps, { owner, url, realm });
      return c.json({ noted: isNoted });
    });
}

/** Returns the owners of the credentials that a run needs; none once it is over. */
function ownersOf(db: Db, recordId: string): string[] {
  const run = snapshotOf(db, recordId);
  if (!run || isOver(db, recordId)) return [];
  const { projectId, clusters, objects } = run;
  return [
    ...clusters.map(({ id }) => clusterOwner(id)),
    ...objects.map(({ localRepoName: name }) => secretOwner({ projectId, name })),
  ];
}

/** Whether a run that goes on reads images of a hosted repository (`{projectId}/{repoName}`). */
function readsImages(db: Db, recordId: string, repository: string): boolean {
  const run = snapshotOf(db, recordId);
  if (!run || isOver(db, recordId)) return false;
  return run.objects.some(
    ({ category, repoType, localRepoName }) =>
      category === "LOCAL" &&
      isImageType(repoType) &&
      `${run.projectId}/${localRepoName}` === repository,
  );
}
