import { startInstance, type Instance, type InstanceOptions } from "./instance.ts";
import {
  createCleanup,
  openProduct,
  unique,
  UNSLICED,
  UTC,
  type Product,
} from "./run-fixture.ts";
import { startProxy, type FaultProxy } from "../servers/proxy.ts";
import {
  startRegistry,
  type RegistryKind,
  type TestRegistry,
} from "../servers/registries.ts";

/** Starts the first of these registries whose program is available on this machine. */
export async function oneOf(...kinds: RegistryKind[]): Promise<TestRegistry> {
  for (const kind of kinds) {
    const registry = await startRegistry(kind);
    if (registry.available) return registry;
  }
  throw new Error(
    `none of the registries ${kinds.join(", ")} is available on this machine`,
  );
}

export type ImageRig = {
  instance: Instance;
  product: Product;
  /**
   * The two registries. The linked repository and the cluster use proxies before them, which count
   * requests and inject faults.
   */
  source: TestRegistry & { proxy: FaultProxy };
  target: TestRegistry & { proxy: FaultProxy };
  /** A project with the linked repository `images` (the whole source) and the REMOTE cluster (the whole target). */
  projectId: string;
  cluster: string;
  end: () => Promise<void>;
};

/** Starts an instance between two registries. */
export async function startImageRig(
  options: InstanceOptions & {
    registries?: { source: RegistryKind[]; target: RegistryKind[] };
  } = {},
): Promise<ImageRig> {
  const cleanup = createCleanup();
  const { source: from, target: to } = options.registries ?? {
    source: ["gcr", "docker-registry"],
    target: ["distribution", "docker-registry"],
  };
  const registry = async (kinds: RegistryKind[]) => {
    const started = await cleanup.keep(oneOf(...kinds), (one) => one.stop());
    const proxy = await cleanup.keep(startProxy(started.url), (one) => one.stop());
    return { ...started, proxy };
  };
  try {
    const env = { ...UTC, ...UNSLICED, LOG_LEVEL: "warn", ...options.env };
    const [instance, source, target] = await Promise.all([
      cleanup.keep(startInstance({ ...options, env }), (one) => one.remove()),
      registry(from),
      registry(to),
    ]);
    const product = openProduct(instance);
    const projectId = unique("p");
    await product.project(projectId);
    await product.linked(projectId, "images", source.proxy.url);
    const cluster = await product.registry("target", target.proxy.url);
    return { instance, product, source, target, projectId, cluster, end: cleanup.all };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}

/** Runs `work` while the transfer workers of an instance are stopped by SIGSTOP. */
export async function whileFrozen<T>(
  { pids }: Instance,
  work: () => Promise<T>,
): Promise<T> {
  const { workers } = pids();
  for (const pid of workers) process.kill(pid, "SIGSTOP");
  try {
    return await work();
  } finally {
    for (const pid of workers) process.kill(pid, "SIGCONT");
  }
}

export type FileRig = {
  center: Instance;
  edge: Instance;
  product: Product;
  partner: Product;
  proxy: FaultProxy;
  projectId: string;
  cluster: string;
  end: () => Promise<void>;
};

/** Starts two instances, with a proxy before the second that keeps the bodies of file declarations. */
export async function startFileRig(options: InstanceOptions = {}): Promise<FileRig> {
  const cleanup = createCleanup();
  const env = { ...UTC, ...UNSLICED, LOG_LEVEL: "warn" };
  const start = (more: Record<string, string>) =>
    cleanup.keep(startInstance({ ...options, env: { ...env, ...more } }), (one) =>
      one.remove(),
    );
  try {
    const [center, edge] = await Promise.all([
      start(options.env ?? {}),
      start({ LOCAL_CLUSTER_NAME: "edge", TRANSFER_WORKERS: "1" }),
    ]);
    const proxy = await cleanup.keep(
      startProxy(edge.url, { keepBodies: (path) => path.includes("/sync/v1/files/") }),
      (one) => one.stop(),
    );
    const product = openProduct(center);
    const projectId = unique("p");
    await product.project(projectId);
    const cluster = await product.partner("edge", edge, proxy.url);
    return {
      center,
      edge,
      product,
      partner: openProduct(edge),
      proxy,
      projectId,
      cluster,
      end: cleanup.all,
    };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}
