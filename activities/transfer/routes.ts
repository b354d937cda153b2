import { TransferError, toTransferError } from "../../domain/failure.ts";
import { isImageType } from "../../domain/repository-types.ts";
import { instanceNamespace, remoteNamespace } from "../../domain/remote-names.ts";
import type { Protocol } from "../../domain/vocabulary.ts";
import { connectors, instance } from "../registries/connectors.ts";
import type {
  Closing,
  Connector,
  Copier,
  End,
  SettlingTarget,
  Source,
  Target,
} from "../registries/contract.ts";
import { createPace, type Pace } from "../registries/pace.ts";
import type { BatchDeps } from "./context.ts";
import { failed } from "./early.ts";
import { openEndpoint } from "./endpoint.ts";
import { openHostedSource } from "./hosted.ts";
import { copyAll, sendParts, settleAll } from "./senders.ts";
import { createKeptToken } from "./kept-token.ts";
import { createThrottle } from "./throttle.ts";
import type { Batch, Route, Send } from "./work.ts";

type Paces = Record<"source" | "target", Pace>;

/**
 * Returns a key that is equal for batches of one run with the same cluster and the same local and
 * remote repository.
 */
export function routeKey(
  recordId: string,
  { clusterId, projectId, object }: Batch,
): string {
  return JSON.stringify([
    recordId,
    clusterId,
    projectId,
    object.localRepoName,
    object.remoteProjectId,
    object.remoteRepoName,
  ]);
}

export function openRoute(deps: BatchDeps, recordId: string, batch: Batch): Route {
  const throttle = createThrottle(batch.setting.rateLimit, (bytes) =>
    deps.controlPlane.grant(recordId, batch.clusterId, bytes),
  );
  const paces = { source: createPace(), target: createPace() };
  return {
    throttle,
    waits: () => ({ source: paces.source.waitMs(), target: paces.target.waitMs() }),
    ...openSender(deps, recordId, batch, paces),
  };
}

/**
 * Opens both ends and chooses how to send. If an end cannot be opened, the sender reports each artifact as
 * failed with that reason.
 */
function openSender(
  deps: BatchDeps,
  recordId: string,
  batch: Batch,
  paces: Paces,
): Pick<Route, "send" | "close"> {
  const opened: Closing[] = [];
  const keep = <T extends Closing>(end: T): T => {
    opened.push(end);
    return end;
  };
  const close = () => void Promise.all(opened.map((end) => end.close()));
  try {
    return { send: chooseSender({ deps, recordId, batch, paces, keep }), close };
  } catch (error) {
    const { message } = toTransferError(error);
    return {
      send: async ({ artifacts, end }) =>
        artifacts.forEach((artifact) => end(artifact, failed(message))),
      close,
    };
  }
}

type Opening = {
  deps: BatchDeps;
  recordId: string;
  batch: Batch;
  paces: Paces;
  keep: <T extends Closing>(end: T) => T;
};

function chooseSender(opening: Opening): Send {
  const { deps, recordId, batch, keep } = opening;
  const hosted = batch.object.category === "LOCAL";
  const end = targetEnd(opening);
  const copier = copierBetween(batch);
  if (copier !== null) {
    const place =
      batch.target.type === "REMOTE"
        ? null
        : keep(instance.target(end, batch.object.repoType));
    return copyAll({
      copier: keep(copier(sourceEnd(opening), end)),
      prepare: place?.prepare,
      hosted,
    });
  }
  const sourceOf = sourcesOf(
    opening,
    hosted ? null : connectorOf(batch.source.protocol, batch.source.url),
  );
  const target =
    batch.target.type === "REMOTE"
      ? openTarget(opening, connectorOf(batch.target.protocol, batch.target.url), end)
      : keep(instance.target(end, batch.object.repoType));
  if (isSettling(target)) return settleAll({ sourceOf, target });
  const mayRead = (bytes: number) =>
    deps.controlPlane.mayReadToCompare(recordId, batch.clusterId, bytes);
  return sendParts({ sourceOf, target, at: new URL(end.url).host || end.url, mayRead });
}

/**
 * Returns the function that opens the copier for a batch of images; null for other artifacts, and unless
 * both ends use the same protocol and it has a copier. Hosted images are read through this instance's own
 * OCI registry. Throws `unsupported` if an end's protocol has no connector.
 */
function copierBetween({
  object,
  source,
  target,
}: Batch): ((from: End, to: End) => Copier & Closing) | null {
  if (!isImageType(object.repoType)) return null;
  const from =
    object.category === "LOCAL"
      ? connectors.OCI
      : connectorOf(source.protocol, source.url);
  const to =
    target.type === "REMOTE" ? connectorOf(target.protocol, target.url) : connectors.OCI;
  return from === to && from.copier ? from.copier : null;
}

/**
 * Returns the connector of a protocol. Throws `unsupported` if there is none, or the protocol is unknown
 * (null).
 */
export function connectorOf(protocol: Protocol | null, url: string): Connector {
  const connector = protocol === null ? null : connectors[protocol];
  if (connector) return connector;
  throw new TransferError(
    "unsupported",
    protocol === null
      ? `this release knows no protocol for ${url} and this repository type: ` +
          "name the protocol of the cluster or linked repository (docs/connectors.md)"
      : `${url} speaks ${protocol}, which this release does not support: choose another protocol (docs/connectors.md)`,
  );
}

const isSettling = (target: Target): target is SettlingTarget => "settle" in target;

/**
 * Returns a function that gives the source of a batch. A linked source is opened once for all batches of
 * the route, a hosted source for each batch. Throws `unsupported` if the linked source's protocol cannot be
 * read.
 */
function sourcesOf(opening: Opening, from: Connector | null): (batch: Batch) => Source {
  const { deps, batch, keep } = opening;
  if (from === null) return (next) => openHostedSource(deps, next);
  if (!from.source)
    throw new TransferError(
      "unsupported",
      `this release cannot read from ${batch.source.url} by protocol ${batch.source.protocol}: ` +
        "choose a source with another protocol (docs/connectors.md)",
    );
  const source = keep(from.source(sourceEnd(opening), batch.object.repoType));
  return () => source;
}

function openTarget({ batch, keep }: Opening, to: Connector, end: End): Target {
  if (to.target) return keep(to.target(end, batch.object.repoType));
  throw new TransferError(
    "unsupported",
    `this release cannot write to ${batch.target.url} by protocol ${batch.target.protocol}: ` +
      "choose a cluster with another protocol (docs/connectors.md)",
  );
}

function targetEnd({ deps, recordId, batch, paces }: Opening): End {
  const { object, projectId, target } = batch;
  if (target.type === "REMOTE")
    return openEndpoint(deps, recordId, target, remoteNamespace(object), paces.target);
  return {
    ...openEndpoint(
      deps,
      recordId,
      target,
      instanceNamespace(object, projectId),
      paces.target,
    ),
    instance: true,
  };
}

function sourceEnd({ deps, recordId, batch, paces }: Opening): End {
  const { object, projectId, source } = batch;
  return object.category === "LOCAL"
    ? ownRegistry(deps, recordId, `${projectId}/${object.localRepoName}`)
    : openEndpoint(deps, recordId, source, "", paces.source);
}

/** Returns this instance's own registry of hosted images, as the end that a batch is read from. */
function ownRegistry(
  { apiUrl, apiBeside, network, controlPlane }: BatchDeps,
  recordId: string,
  namespace: string,
): End {
  return {
    url: apiUrl,
    namespace,
    username: null,
    password: null,
    token: null,
    ...network,
    // On this machine nobody is between, and its certificate names the addresses of clients.
    insecureSkipVerify: apiBeside,
    proxy: null,
    instance: true,
    authorize: createKeptToken(() => controlPlane.registryToken(recordId, namespace)),
  };
}
