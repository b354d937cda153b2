import { randomBytes } from "node:crypto";
import { expect } from "vitest";
import { startProxy, type FaultProxy } from "../servers/proxy.ts";
import { startInstance, type Instance } from "./instance.ts";
import {
  createCleanup,
  openProduct,
  unique,
  until,
  UTC,
  type Product,
  type RecordInfo,
  type TaskInfo,
  type TaskObject,
} from "./run-fixture.ts";

/** Time limit in ms, far more than needed because machines may be busy; the time taken is printed. */
export const WITHIN_MS = 180_000;

type End = { instance: Instance; product: Product; proxy: FaultProxy; cluster: string };
type Options = {
  type?: "REPOSITORY" | "PATH";
  object?: Partial<TaskObject>;
  clusters?: string[];
  setting?: object;
};

export type RealTimeRig = {
  center: Instance;
  product: Product;
  one: End;
  two: End;
  /** Lets every request pass. */
  passAll: () => void;
  end: () => Promise<void>;
};

/** Starts an instance with the project `local`, and two more instances as its clusters behind proxies. */
export async function startRealTimeRig(): Promise<RealTimeRig> {
  const cleanup = createCleanup();
  const env = { ...UTC, LOG_LEVEL: "warn" };
  try {
    const center = await cleanup.keep(startInstance({ env }), (each) => each.remove());
    const product = openProduct(center);
    await product.project("local");
    const open = async (name: string): Promise<End> => {
      const instance = await cleanup.keep(
        startInstance({
          env: { ...env, LOCAL_CLUSTER_NAME: name, TRANSFER_WORKERS: "1" },
        }),
        (each) => each.remove(),
      );
      const proxy = await cleanup.keep(startProxy(instance.url), (each) => each.stop());
      const cluster = await product.partner(name, instance, proxy.url);
      return { instance, product: openProduct(instance), proxy, cluster };
    };
    const [one, two] = await Promise.all([open("one"), open("two")]);
    const passAll = () => {
      for (const { proxy } of [one, two]) proxy.fault = () => null;
    };
    return { center, product, one, two, passAll, end: cleanup.all };
  } catch (error) {
    await cleanup.all();
    throw error;
  }
}

/** Creates a repository and an enabled REAL_TIME task that sends it to `clusters`, by default the first one. */
export async function following(
  { product, one }: RealTimeRig,
  {
    type = "REPOSITORY",
    object = {},
    clusters = [one.cluster],
    setting = {},
  }: Options = {},
) {
  const repo = unique("repo-");
  await product.hosted("local", repo);
  const { key } = await product.call<TaskInfo>("POST", "/replication/api/task/create", {
    name: unique("follow-"),
    localProjectId: "local",
    replicaObjectType: type,
    replicaTaskObjects: [{ localRepoName: repo, repoType: "GENERIC", ...object }],
    replicaType: "REAL_TIME",
    setting: { conflictStrategy: "OVERWRITE", ...setting },
    remoteClusterIds: clusters,
  });
  const upload = (path: string, bytes: Uint8Array = randomBytes(1_000)) =>
    product.upload("local", repo, path, bytes, { "X-BKREPO-OVERWRITE": "true" });
  const download = (end: End, path: string) => end.product.download("local", repo, path);
  /** Waits until the content has arrived, and returns how long that took, in ms. */
  async function arrival(
    end: End,
    path: string,
    bytes: Uint8Array,
    withinMs = WITHIN_MS,
  ): Promise<number> {
    const begun = Date.now();
    await expect
      .poll(async () => (await download(end, path))?.equals(bytes) ?? false, {
        timeout: withinMs,
        interval: 20,
        message: `${path} arrives`,
      })
      .toBe(true);
    return Date.now() - begun;
  }
  return {
    repo,
    key,
    upload,
    download,
    arrival,
    records: () => product.records(key),
    task: () => product.task(key),
  };
}

/** Waits for a record that `wanted` accepts, and returns it. */
export async function recordOf(
  records: () => Promise<RecordInfo[]>,
  wanted: (record: RecordInfo) => boolean,
  what: string,
  withinMs = WITHIN_MS,
): Promise<RecordInfo> {
  let found: RecordInfo | undefined;
  await until(
    what,
    async () => (found = (await records()).find(wanted)) !== undefined,
    withinMs,
  );
  if (found === undefined) throw new Error(what);
  return found;
}
