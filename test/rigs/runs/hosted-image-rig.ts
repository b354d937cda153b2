import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createFiller } from "../api/packages-fixture.ts";
import { type TestManifest, readManifest } from "../servers/images.ts";
import { CRANE, REGCTL } from "../servers/oci-tools.ts";
import { startProxy, type FaultProxy } from "../servers/proxy.ts";
import type { TestRegistry } from "../servers/registries.ts";
import { findTool } from "../servers/tools.ts";
import { authorizationOf, startInstance, type Instance } from "./instance.ts";
import { contentsOf, readHistories } from "./run-histories.ts";
import {
  createCleanup,
  openProduct,
  unique,
  UNSLICED,
  UTC,
  type Product,
  type TaskDraft,
  type TaskObject,
} from "./run-fixture.ts";
import { oneOf } from "./run-rig.ts";

const run = promisify(execFile);
/** The path below which the proxy serves the second instance. */
const BELOW = "/below/here";

type End = { instance: Instance; product: Product; authorization: string };
type Clients = { crane: string | null; regctl: string | null; env: NodeJS.ProcessEnv };
type Cleanup = ReturnType<typeof createCleanup>;

export type HostedImageRig = Awaited<ReturnType<typeof startHostedImageRig>>;

/** Starts two instances and a registry, with proxies before the second instance and the registry. */
export async function startHostedImageRig() {
  const cleanup = createCleanup();
  try {
    return { ...(await start(cleanup)), end: cleanup.all };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}

async function start(cleanup: Cleanup) {
  const startEnd = async (env: Record<string, string>): Promise<End> => {
    const instance = await cleanup.keep(
      startInstance({ env: { ...UTC, ...UNSLICED, LOG_LEVEL: "warn", ...env } }),
      (each) => each.remove(),
    );
    return {
      instance,
      product: openProduct(instance),
      authorization: authorizationOf(instance),
    };
  };
  const startTarget = async (): Promise<TestRegistry & { proxy: FaultProxy }> => {
    const started = await cleanup.keep(oneOf("docker-registry", "distribution"), (each) =>
      each.stop(),
    );
    return {
      ...started,
      proxy: await cleanup.keep(startProxy(started.url), (each) => each.stop()),
    };
  };
  const [center, edge, registry] = await Promise.all([
    startEnd({}),
    startEnd({ LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "1" }),
    startTarget(),
  ]);
  const edgeProxy = await cleanup.keep(
    startProxy(edge.instance.url, { below: BELOW }),
    (each) => each.stop(),
  );
  const clusters = {
    edge: await center.product.partner("edge", edge.instance, edgeProxy.url + BELOW),
    registry: await center.product.registry("registry", registry.proxy.url),
  };
  const clients = await openClients(cleanup, [center.instance, edge.instance]);
  const atEdge = {
    url: edge.instance.url,
    options: { authorization: edge.authorization },
  };

  return {
    center,
    edge,
    edgeProxy,
    registry,
    clusters,
    /** The second instance as a registry: its address and login. */
    atEdge,
    /** The digest of a tag at the second instance; null when it does not exist. */
    digestAtEdge: async (name: string, tag: string) =>
      (await readManifest(atEdge.url, name, tag, atEdge.options))?.digest ?? null,
    /** Reads an image with independent clients; for the result see `judge`. */
    judged: (host: string, name: string, tag: string) => judge(clients, host, name, tag),
    passAll(): void {
      edgeProxy.fault = () => null;
      registry.proxy.fault = () => null;
    },
    /** Creates a project with the hosted repository `images`. */
    async hosted(type: "OCI" | "DOCKER" = "OCI") {
      const { product, instance, authorization } = center;
      const projectId = unique("p");
      await product.project(projectId);
      await product.hosted(projectId, "images", type);
      const fill = createFiller({ url: instance.url, authorization });
      const object: TaskObject = { localRepoName: "images", repoType: type };
      return {
        projectId,
        repo: `${projectId}/images`,
        start({
          more = {},
          ...rest
        }: Partial<TaskDraft> & { more?: Partial<TaskObject> } = {}) {
          return product.run({
            projectId,
            objects: [{ ...object, ...more }],
            clusters: [clusters.edge],
            ...rest,
          });
        },
        push: (name: string, tag: string | null, image?: TestManifest) =>
          fill.push(`${projectId}/images`, name, tag, image),
      };
    },
    deleteVersion: (repo: string, name: string, tag: string) =>
      center.product.call(
        "DELETE",
        `/repository/api/version/delete/${repo}?packageKey=oci://${name}&version=${tag}`,
      ),
    /**
     * Makes a change at the first request for one of the tags at the edge, and holds all requests for them until it is
     * done, so that it happens between plan and copy.
     */
    beforeCopy(tags: string[], change: () => Promise<unknown>): void {
      let changed: Promise<void> | null = null;
      edgeProxy.fault = ({ method, path }) => {
        if (method !== "HEAD" || !tags.some((tag) => path.endsWith(`/manifests/${tag}`)))
          return null;
        changed ??= change().then(() => undefined);
        return { kind: "hold", until: changed };
      };
    },
    /** Returns the `leftOut` values in a run's histories: names that the run did not list in full. */
    async leftOut({ workflowId }: { workflowId: string }): Promise<unknown[]> {
      const histories = await readHistories(
        center.instance.endpoints().temporal,
        workflowId,
      );
      const { payloads } = contentsOf({
        events: [...histories.values()].flatMap(({ events }) => events ?? []),
      });
      return payloads
        .filter((text) => text.includes('"leftOut"'))
        .map((text) => (JSON.parse(text) as { leftOut: unknown }).leftOut);
    },
  };
}

/** Finds independent clients and gives them the instances' logins. */
async function openClients(cleanup: Cleanup, instances: Instance[]): Promise<Clients> {
  const folder = mkdtempSync(join(tmpdir(), "image-clients-"));
  await cleanup.keep(Promise.resolve(folder), async (each) =>
    rmSync(each, { recursive: true, force: true }),
  );
  const auths = Object.fromEntries(
    instances.map((each) => [
      new URL(each.url).host,
      { auth: authorizationOf(each).slice("Basic ".length) },
    ]),
  );
  writeFileSync(join(folder, "config.json"), JSON.stringify({ auths }));
  const env = { ...process.env, DOCKER_CONFIG: folder, HOME: folder };
  return { crane: await findTool(CRANE), regctl: await findTool(REGCTL), env };
}

/**
 * Reads an image with independent clients: crane's digest, after a check that it can be pulled whole,
 * and the digests in regctl's tree of attached manifests. Null for a client that is not available.
 */
async function judge(
  clients: Clients,
  host: string,
  name: string,
  tag: string,
): Promise<{ digest: string | null; tree: string[] | null }> {
  const { crane, regctl, env } = clients;
  const image = `${host}/${name}:${tag}`;
  const output = async (command: string, args: string[]) =>
    (await run(command, args, { env })).stdout.trim();
  const digest = crane && (await output(crane, ["digest", "--insecure", image]));
  if (crane) await output(crane, ["validate", "--insecure", "--fast", "--remote", image]);
  const tree =
    regctl &&
    (await output(regctl, [
      "artifact",
      "tree",
      "--digest-tags",
      "--host",
      `reg=${host},tls=disabled`,
      image,
    ]));
  return { digest, tree: tree ? (tree.match(/sha256:[0-9a-f]{64}/g) ?? []) : null };
}
