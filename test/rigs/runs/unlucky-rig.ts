import { expect } from "vitest";
import type { Fault } from "../servers/proxy.ts";
import {
  closed,
  type Counts,
  type Product,
  type RecordDetail,
  type RecordInfo,
  type TaskDraft,
} from "./run-fixture.ts";
import { listImages } from "./run-judge.ts";
import { startImageRig, type ImageRig } from "./run-rig.ts";
import { fillRegistry, type Listing } from "./run-sources.ts";

/** For instances whose tests wait until the retry window has passed. */
export const SHORT_WINDOW = { RETRY_WINDOW: "20s" };
/** Tags of each image that `begin` pushes. */
export const TAGS = ["v1", "v2", "v3"];

type Faults = (request: { method: string; path: string }) => Fault | null;
type Ended = RecordInfo & { counts: Counts; details: RecordDetail[]; reasons: string[] };

export type UnluckyRig = ImageRig & {
  /**
   * Faults of the target, by the first segment of the image's name there: each test has its own name
   * and so its own faults.
   */
  luck: Map<string, Faults>;
  /**
   * Pushes images below the test's own name, and starts a run that sends them below that name at the
   * target.
   */
  begin: (
    name: string,
    draft?: Partial<TaskDraft> & { names?: string[]; tags?: number },
  ) => Promise<{ key: string; images: Listing }>;
  /** Starts a run that sends the images `names` below the name `name` at the target. */
  start: (name: string, names: string[], draft?: Partial<TaskDraft>) => Promise<string>;
  /** `ended` for runs of this instance. */
  ended: (key: string) => Promise<Ended>;
  /** Lists the images below the name `name` of the target. */
  there: (name: string) => Promise<Listing>;
};

/** Waits for the end of a run; no detail may be RUNNING then. `reasons`: those of the failed details. */
export async function ended(product: Product, key: string): Promise<Ended> {
  const record = await closed(product, key);
  const details = await product.details(record.id);
  expect(details.filter(({ status }) => status === "RUNNING")).toEqual([]);
  const failed = details.filter(({ status }) => status === "FAILED");
  return {
    ...record,
    details,
    reasons: failed.map(({ errorReason }) => errorReason ?? ""),
  };
}

/** Starts an instance between two registries of one kind that stores files. */
export async function startUnluckyRig(
  env: Record<string, string> = SHORT_WINDOW,
): Promise<UnluckyRig> {
  const kinds = ["distribution", "docker-registry"] as const;
  const rig = await startImageRig({
    env,
    registries: { source: [...kinds], target: [...kinds] },
  });
  const luck = new Map<string, Faults>();
  rig.target.proxy.fault = (request) =>
    luck.get(request.path.split("/")[2] ?? "")?.(request) ?? null;
  rig.source.proxy.fault = (request) =>
    luck.get(`source of ${request.path.split("/")[2]}`)?.(request) ?? null;
  const start: UnluckyRig["start"] = (name, names, draft = {}) => {
    const packageConstraints = names.map((image) => ({
      packageKey: `docker://${image}`,
    }));
    const object = {
      localRepoName: "images",
      repoType: "OCI" as const,
      remoteProjectId: name,
      packageConstraints,
    };
    return rig.product.run({
      projectId: rig.projectId,
      type: "PACKAGE",
      objects: [object],
      clusters: [rig.cluster],
      ...draft,
    });
  };
  return {
    ...rig,
    luck,
    start,
    async begin(name, { names = [`${name}/app`], tags = TAGS.length, ...rest } = {}) {
      const images = await fillRegistry(rig.source.url, names, tags);
      return { key: await start(name, names, rest), images };
    },
    ended: (key) => ended(rig.product, key),
    there: (name) => listImages(rig.target.host, name),
  };
}
