import { mkdtempSync, rmSync } from "node:fs";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve, type ServerType } from "@hono/node-server";
import { layout } from "../../../activities/store/layout.ts";
import type { ContentSource } from "../../../activities/store/content-source.ts";
import { createContentSource } from "../../../activities/store/source.ts";
import {
  createInstanceClient,
  type InstanceOptions,
} from "../../../activities/registries/instance/client.ts";
import { settleBatch } from "../../../activities/registries/instance/settle/settle.ts";
import type { InstanceClient } from "../../../activities/registries/instance/client.ts";
import type { RemoteRepository } from "../../../activities/registries/instance/send.ts";
import type {
  Settling,
  SettlingArtifact,
} from "../../../activities/registries/contract.ts";
import { hostedContent } from "../../../activities/transfer/hosted.ts";
import { putBlobs } from "../../../db/content/blobs.ts";
import { putNodes } from "../../../db/content/put-nodes.ts";
import type { ArtifactOutcome, UploadState } from "../../../domain/outcome.ts";
import { encodePath } from "../api/encode-path.ts";
import type { CopyHooks } from "../../../domain/outcome.ts";
import type { RepositoryType } from "../../../domain/vocabulary.ts";
import { ADMIN, basic, createTestApi } from "../api/api-fixture.ts";
import { startProxy as startFaultProxy } from "../servers/proxy.ts";
import { createContent, md5, openContent, sha256 } from "../api/content-fixture.ts";
import { UNHURRIED } from "../../../domain/slice.ts";
import { UNLIMITED } from "../../../activities/transfer/throttle.ts";

/** A file of a hosted repository as it was planned. */
export type SourceFile = {
  fullPath: string;
  size: number;
  sha256: string;
  md5: string;
  metadata: Record<string, string>;
  createdBy: string;
  createdDate: number;
  lastModifiedBy: string;
  lastModifiedDate: number;
};

export const REMOTE = { projectId: "copies", repoName: "files" };
const DATES = {
  createdBy: "ann",
  createdDate: Date.UTC(2024, 0, 2),
  lastModifiedBy: "ben",
  lastModifiedDate: Date.UTC(2025, 3, 4),
};

/**
 * Starts an instance's API on a real socket over a directory that outlives it: after `stop`, start it again with the
 * same directory and port.
 */
export async function startInstance({
  dataDir = mkdtempSync(join(tmpdir(), "instance-")),
  port = 0,
  fullDisk = (): boolean => false,
} = {}) {
  const content = openContent(dataDir);
  const requests: string[] = [];
  const api = createTestApi({
    db: content.db,
    store: limited(content.store, fullDisk),
    localClusterName: "target",
  });
  const server: ServerType = await new Promise((resolve) => {
    const starting = serve(
      {
        fetch: (request, env) => {
          requests.push(`${request.method} ${new URL(request.url).pathname}`);
          return api.app.fetch(request, env);
        },
        hostname: "127.0.0.1",
        port,
      },
      () => resolve(starting),
    );
  });
  // Both instances share this thread, so a long computation must not look like an idle connection.
  if ("keepAliveTimeout" in server) server.keepAliveTimeout = 60_000;
  const address = server.address() as AddressInfo;

  return {
    ...content,
    api,
    requests,
    port: address.port,
    url: `http://127.0.0.1:${address.port}`,
    /** Drops every connection at once, as happens when the process dies. */
    async stop(): Promise<void> {
      const closed = new Promise((resolve) => server.close(resolve));
      if ("closeAllConnections" in server) server.closeAllConnections();
      await closed;
      api.close();
      content.close();
    },
    remove: () => rmSync(dataDir, { recursive: true, force: true }),
    /** Downloads a file by plain HTTP; null when it does not exist. */
    async fetchFile(
      path: string,
      { projectId, repoName } = REMOTE,
    ): Promise<Buffer | null> {
      const answer = await fetch(
        `http://127.0.0.1:${address.port}/generic/${projectId}/${repoName}${encodePath(path)}`,
        { headers: LOGIN },
      );
      const bytes = Buffer.from(await answer.arrayBuffer());
      if (answer.status === 404) return null;
      if (!answer.ok)
        throw new Error(`GET ${path}: ${answer.status} ${bytes.toString()}`);
      return bytes;
    },
  };
}

export type Instance = Awaited<ReturnType<typeof startInstance>>;

const LOGIN = { authorization: basic(`${ADMIN.username}:${ADMIN.password}`) };

function limited(
  store: ReturnType<typeof openContent>["store"],
  fullDisk: () => boolean,
): typeof store {
  const check = () => {
    if (fullDisk())
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), {
        code: "ENOSPC",
      });
  };
  return {
    ...store,
    putAll: async (contents, register) => (check(), store.putAll(contents, register)),
    sessions: {
      ...store.sessions,
      append: async (...args) => (check(), store.sessions.append(...args)),
    },
  };
}

/** Never called, because the store is on this machine. */
const noCall = async () => {
  throw new Error("the control plane must not be called in this test");
};

/** Creates a local store and adds files to it, described as a plan describes them. */
export function createSource() {
  const content = createContent();
  const source = createContentSource({ local: layout(content.dataDir), call: noCall });

  async function addAll(
    files: { fullPath: string; bytes: Buffer; metadata?: Record<string, string> }[],
  ): Promise<SourceFile[]> {
    const contents = files.map(({ bytes }) => ({ content: bytes }));
    const entries = files.map(({ fullPath, bytes, metadata = {} }) => ({
      fullPath,
      sha256: sha256(bytes),
      metadata,
      audit: DATES,
    }));
    await content.store.putAll(contents, (blobs) => {
      putBlobs(content.db, blobs, Date.now());
      putNodes(content.db, content.repository, entries, {
        overwrite: true,
        user: "ann",
        now: Date.now(),
      });
    });
    return files.map(({ fullPath, bytes, metadata = {} }) => ({
      fullPath,
      size: bytes.length,
      sha256: sha256(bytes),
      md5: md5(bytes),
      metadata,
      ...DATES,
    }));
  }

  return {
    ...content,
    source,
    addAll,
    async add(
      fullPath: string,
      bytes: Buffer,
      metadata: Record<string, string> = {},
    ): Promise<SourceFile> {
      const [file] = await addAll([{ fullPath, bytes, metadata }]);
      if (!file) throw new Error("no file was added");
      return file;
    },
    async close(): Promise<void> {
      await source.close();
      content.close();
    },
  };
}

export function clientOf(url: string, options: Partial<InstanceOptions> = {}) {
  return createInstanceClient({ url, ...ADMIN, ...options });
}

/** Returns hooks for a copy without limits, whose events are ignored, except the given `hooks`. */
export const quietHooks = (hooks: Partial<CopyHooks> = {}): CopyHooks => ({
  signal: new AbortController().signal,
  slice: UNHURRIED,
  throttle: UNLIMITED,
  onUpload: () => undefined,
  onBytes: () => undefined,
  ...hooks,
});

/** Starts a local store and another instance behind a proxy that counts requests and injects faults. */
export async function startProxiedTarget() {
  const source = createSource();
  const target = await startInstance();
  const proxy = await startFaultProxy(target.url);
  return {
    source,
    target,
    proxy,
    async close(): Promise<void> {
      await proxy.stop();
      await target.stop();
      target.remove();
      await source.close();
    },
  };
}

/**
 * Target and rules of a settling. `isEmpty`: the repository was empty when the run began; `source`: used instead of
 * `content`.
 */
export type Settled = {
  target: InstanceClient;
  content: ContentSource;
  source?: Settling["source"];
  remote?: RemoteRepository;
  type?: RepositoryType;
  isEmpty?: boolean;
  rules?: Settling["rules"];
  hooks?: CopyHooks;
  report?: (index: number, outcome: ArtifactOutcome) => void;
};

/** Settles artifacts at another instance; returns the reported outcomes in the artifacts' order, and the bytes sent. */
export async function settle(
  artifacts: SettlingArtifact[],
  {
    target,
    content,
    source = hostedContent(content),
    remote = REMOTE,
    type = "GENERIC",
    isEmpty = false,
    rules,
    hooks,
    report,
  }: Settled,
) {
  const outcomes: (ArtifactOutcome | undefined)[] = artifacts.map(() => undefined);
  const states: UploadState[] = [];
  let bytes = 0;
  const batch: Settling = {
    artifacts,
    source,
    rules: rules ?? { conflictStrategy: "SKIP", includeMetadata: true },
    hooks: {
      ...quietHooks(hooks),
      onUpload: (state) => (states.push(state), hooks?.onUpload(state)),
      onBytes: (sent) => ((bytes += sent), hooks?.onBytes(sent)),
    },
    report(index, outcome) {
      if (outcomes[index]) throw new Error(`artifact ${index} was reported twice`);
      outcomes[index] = outcome;
      report?.(index, outcome);
    },
  };
  await settleBatch(batch, { client: target, remote, type, isEmpty });
  return {
    outcomes,
    kinds: outcomes.map((outcome) => outcome?.result.kind),
    states,
    bytes,
  };
}

type Copying = Settled & { mayHaveSent?: boolean; uploads?: UploadState[] };

/** Copies files, each as its own artifact. */
export function copy(
  files: SourceFile[],
  { mayHaveSent = false, uploads = [], ...settled }: Copying,
) {
  return settle(
    files.map((file) => ({ artifact: toArtifact(file), mayHaveSent, uploads })),
    settled,
  );
}

function toArtifact({
  fullPath,
  size,
  sha256,
  md5,
  metadata,
  ...origin
}: SourceFile): SettlingArtifact["artifact"] {
  const part = { path: fullPath, size, digests: { sha256, md5 }, metadata, origin };
  return {
    name: fullPath,
    version: "",
    parts: [part],
    digest: `sha256:${sha256}`,
    document: null,
    tags: [],
    origin,
  };
}

/**
 * Starts a TCP proxy to `port` that can be cut: it drops connections once `cutAfter` bytes in all have been sent up.
 */
export async function startProxy(port: number) {
  const sockets = new Set<Socket>();
  const state = { cutAfter: Infinity, cuts: 0, up: 0 };
  const server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    const end = () => (near.destroy(), far.destroy(), sockets.delete(near));
    sockets.add(near);
    near.on("error", end).on("close", end);
    far.on("error", end).on("close", end);
    near.on("data", (chunk: Buffer) => {
      state.up += chunk.length;
      if (!far.write(chunk)) {
        near.pause();
        far.once("drain", () => near.resume());
      }
      if (state.up < state.cutAfter) return;
      state.cuts += 1;
      // `far.end` still sends the bytes that were passed on before it ends the connection.
      near.destroy();
      far.end();
    });
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port: own } = server.address() as AddressInfo;
  return {
    state,
    url: `http://127.0.0.1:${own}`,
    async close(): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
