import { TransferError } from "../../../domain/failure.ts";
import {
  SYNC_PRODUCT,
  SYNC_VERSION,
  type Capabilities,
  type EnsureAnswer,
  type FileAnswer,
  type Statement,
  type SyncFeature,
} from "../../../domain/sync.ts";
import type { VersionsAnswer, VersionsStatement } from "../../../domain/sync-versions.ts";
import type { RepositoryType } from "../../../domain/vocabulary.ts";
import { createHttpClient, type HttpOptions } from "../http.ts";
import { throwIfStopped, unlessAborted } from "../unless-aborted.ts";
import { readCapabilities, readEnsured } from "./answers.ts";
import { createFeatureCalls, type FeatureCalls } from "./features.ts";
import {
  repositoryPath,
  sendFiles,
  type RemoteRepository,
  type SendHooks,
} from "./send.ts";
import { createUploads, type Uploads } from "./uploads.ts";
import { sendVersions } from "./versions.ts";
import { authorizationOf, secretsOf } from "../login.ts";
import {
  addressOf,
  createWire,
  instanceUrl,
  json,
  otherProduct,
  type Wire,
} from "./wire.ts";

export type InstanceOptions = HttpOptions & {
  url: string;
  username?: string | null | undefined;
  password?: string | null | undefined;
  /** A token for the login; replaces username and password. */
  token?: string | null | undefined;
};

/**
 * A client of another instance of this product (docs/instance-protocol.md). Errors are TransferErrors; nothing is
 * retried here.
 */
export type InstanceClient = Uploads & {
  /** The address for messages, without credentials. */
  url: string;
  /**
   * Returns the capabilities of the instance, which are requested once per client, and again only after a
   * failure.
   */
  capabilities: (signal?: AbortSignal) => Promise<Capabilities>;
  /**
   * Returns the calls of a feature; null when the instance lacks the feature, so that the calls of
   * older releases must be used.
   */
  feature: <F extends SyncFeature>(
    name: F,
    signal?: AbortSignal,
  ) => Promise<FeatureCalls[F] | null>;
  /**
   * Creates project and repository if they are missing; throws `invalid` when the name belongs to a repository
   * of another type, or to a linked one.
   */
  ensureRepository: (
    remote: RemoteRepository,
    type: RepositoryType,
    signal?: AbortSignal,
  ) => Promise<EnsureAnswer>;
  /**
   * Declares files; `contents` are the bytes of the files marked `attached`, in their order. Returns one answer for
   * each file, in the order of the files.
   */
  sendFiles: (
    remote: RemoteRepository,
    statement: Statement,
    contents: Uint8Array[],
    hooks: SendHooks,
  ) => Promise<FileAnswer[]>;
  /**
   * Declares package versions; `contents` are the bytes of the contents that the declaration lists, in their order.
   * Returns one answer for each version, in the order of the versions.
   */
  sendVersions: (
    remote: RemoteRepository,
    statement: VersionsStatement,
    contents: Uint8Array[],
    hooks: SendHooks,
  ) => Promise<VersionsAnswer>;
  close: () => Promise<void>;
};

export function createInstanceClient(options: InstanceOptions): InstanceClient {
  const {
    url,
    username: _user,
    password: _password,
    token: _token,
    ...httpOptions
  } = options;
  const base = instanceUrl(url);
  const authorization = authorizationOf(options);
  const secrets = [...(httpOptions.secrets ?? []), ...secretsOf(options)];
  const http = createHttpClient({ ...httpOptions, home: base.hostname, secrets });
  const wire = createWire(http, base, authorization);
  const featureCalls: FeatureCalls = createFeatureCalls(wire);
  let known: Promise<Capabilities> | undefined;

  async function capabilities(signal?: AbortSignal): Promise<Capabilities> {
    throwIfStopped(signal);
    known ??= askCapabilities(wire, undefined).catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return unlessAborted(known, signal);
  }

  return {
    url: addressOf(base),
    capabilities,
    async feature(name, signal) {
      const { features } = await capabilities(signal);
      return features.includes(name) ? featureCalls[name] : null;
    },
    async ensureRepository(remote, type, signal) {
      const what = `repository ${remote.projectId}/${remote.repoName}`;
      const data = await wire.call({
        method: "POST",
        what,
        path: `repositories/${repositoryPath(remote)}`,
        signal,
        ...json({ type }),
      });
      return readEnsured(data, what);
    },
    sendFiles: (remote, statement, contents, hooks) =>
      sendFiles(wire, remote, statement, contents, hooks),
    sendVersions: (remote, statement, contents, hooks) =>
      sendVersions(wire, remote, statement, contents, hooks),
    ...createUploads(wire),
    close: http.close,
  };
}

async function askCapabilities(
  wire: Wire,
  signal: AbortSignal | undefined,
): Promise<Capabilities> {
  const what = `instance ${wire.base.host}`;
  const capabilities = readCapabilities(
    await wire.call({ method: "GET", what, path: "capabilities", signal }),
    wire.shown,
  );
  if (capabilities?.product !== SYNC_PRODUCT) throw otherProduct(what, wire.base);
  if (capabilities.version !== SYNC_VERSION) {
    const version = wire.shown(String(capabilities.version));
    throw new TransferError(
      "unsupported",
      `${what}: it uses version ${version} of the replication protocol, this instance uses version ` +
        `${SYNC_VERSION}: bring both to the same release`,
    );
  }
  return capabilities;
}
