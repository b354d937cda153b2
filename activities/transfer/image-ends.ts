import { targetImageName } from "../../domain/image-objects.ts";
import type { RegistryAddress } from "../../domain/reference.ts";
import { remoteRepository } from "../../domain/remote-names.ts";
import { createInstanceClient } from "../registries/instance/client.ts";
import { authorizationOf, instanceUrl } from "../registries/instance/wire.ts";
import { createOciRegistry, createOciRegistryAt, type OciRegistry } from "../registries/oci/registry.ts";
import { REGISTRY_ACTIONS, type RegistryScope } from "../secrets/registry-token.ts";
import type { Pace } from "../registries/pace.ts";
import { openEndpoint, type OpenedEndpoint } from "./endpoint.ts";
import type { Batch, BatchDeps } from "./work.ts";

/** `hosted`: this instance's own, so its digests are known, and it changes while a run goes on. */
export type ImageSource = { registry: OciRegistry; hosted: boolean };

/** Serves all objects of a run that are copied from one repository to one cluster. */
export type ImageTarget = {
  registry: OciRegistry;
  /** An image's name in the registry. */
  nameOf: (batch: Batch, name: string) => string;
  /** Makes what must be there before images come; throws TransferError. */
  prepare: (batch: Batch, signal: AbortSignal) => Promise<void>;
  close: () => void;
};

/** Long enough for clocks that differ; each request gets a token of its own. */
const TOKEN_SECONDS = 900;

export function openImageSource(deps: BatchDeps, { object, projectId, source }: Batch, pace: Pace): ImageSource {
  if (object.category !== "LOCAL") return { registry: createOciRegistry(openEndpoint(deps, source, pace)), hosted: false };
  const { apiUrl, tokens } = deps.images;
  const authorization = (scopes: readonly string[]) => `Bearer ${tokens.issue(scopes.map(toScope), TOKEN_SECONDS)}`;
  const network = { ...deps.network, proxy: null };
  return { registry: createOciRegistryAt(addressOf(apiUrl, `${projectId}/${object.localRepoName}`), { ...network, authorization }), hosted: true };
}

/** The registry's clients ask for `repository:{name}:pull,push`. */
function toScope(scope: string): RegistryScope {
  const [, name = "", actions = ""] = scope.split(":");
  const asked = actions.split(",");
  return { name, actions: REGISTRY_ACTIONS.filter((action) => asked.includes(action)) };
}

export function openImageTarget(deps: BatchDeps, { type, ...target }: Batch["target"], pace: Pace): ImageTarget {
  const end = openEndpoint(deps, target, pace);
  return type === "REMOTE" ? toRegistry(end) : toInstance(end);
}

function toRegistry(end: OpenedEndpoint): ImageTarget {
  const registry = createOciRegistry({ ...end, pushes: true });
  return { registry, nameOf: ({ object }, name) => targetImageName(object, name), prepare: async () => {}, close: () => void registry.close() };
}

/** Another instance serves its hosted images itself; its repositories are made through its own API. */
function toInstance(end: OpenedEndpoint): ImageTarget {
  const client = createInstanceClient(end);
  const authorization = authorizationOf(end) ?? undefined;
  const registry = createOciRegistryAt(addressOf(end.url, ""), { ...end, authorization: () => authorization, pushes: true });
  /** Repositories that are there for certain. */
  const ensured = new Set<string>();
  return {
    registry,
    nameOf: ({ object, projectId }, name) => `${repositoryName(object, projectId)}/${name}`,
    async prepare({ object, projectId, setting }, signal) {
      const name = repositoryName(object, projectId);
      if (!ensured.has(name) && setting.automaticCreateRemoteRepo) await client.ensureRepository(remoteRepository(object, projectId), object.repoType, signal);
      ensured.add(name);
    },
    close: () => void Promise.all([registry.close(), client.close()]),
  };
}

function repositoryName(object: Batch["object"], projectId: string): string {
  const remote = remoteRepository(object, projectId);
  return `${remote.projectId}/${remote.repoName}`;
}

/** An instance may live below a path: its registry does, too. */
function addressOf(url: string, namespace: string): RegistryAddress {
  const { origin, pathname } = instanceUrl(url);
  return { origin, base: pathname.replace(/\/$/, ""), namespace };
}
