import { setTimeout as sleep } from "node:timers/promises";
import { ApplicationFailure, type Client } from "@temporalio/client";
import {
  closed,
  createGate,
  follow,
  type RecordInfo,
  type TaskDraft,
  type TaskObject,
} from "../../rigs/runs/run-fixture.ts";
import type { FileRig, ImageRig } from "../../rigs/runs/run-rig.ts";
import { fillRegistry } from "../../rigs/runs/run-sources.ts";
import type { Fault } from "../../rigs/servers/proxy.ts";

export type Stage = {
  images: ImageRig;
  files: FileRig;
  client: Client;
  address: string;
  save: (name: string, workflowId: string, runId?: string) => Promise<void>;
};
export type Scenes = Record<string, () => Promise<void>>;

/** Longest time (ms) that a scene waits for a condition. */
export const PATIENCE_MS = 600_000;
const MANY = 40;
/** The value STARTED of PendingActivityState (temporal.api.enums.v1): a worker is executing the activity. */
const STARTED = 2;

/** Creates scenes in which images are sent from a linked repository to a registry. */
export function createImageScenes({ images, files, client, save }: Stage): Scenes {
  const { product } = images;
  const filled = fillRegistry(
    images.source.url,
    [
      "team/app",
      "team/other",
      ...Array.from({ length: MANY }, (_, at) => `many/app-${at}`),
    ],
    3,
  );
  const image = (name: string, to: string): TaskObject => ({
    localRepoName: "images",
    repoType: "OCI",
    remoteProjectId: to,
    packageConstraints: [{ packageKey: `docker://${name}` }],
  });

  async function send(to: string, draft: Partial<TaskDraft> = {}): Promise<string> {
    await filled;
    return product.run({
      projectId: images.projectId,
      objects: ["team/app", "team/other"].map((name) => image(name, to)),
      clusters: [images.cluster],
      ...draft,
    });
  }
  const one = (to: string): Partial<TaskDraft> => ({
    objects: [
      {
        ...image("team/app", to),
        packageConstraints: ["team/app", "team/other"].map((name) => ({
          packageKey: `docker://${name}`,
        })),
      },
    ],
  });
  const saveRun = async (name: string, key: string) =>
    save(name, (await closed(product, key, PATIENCE_MS)).workflowId);
  const breakTarget = (
    fault: (request: { method: string; path: string }) => Fault | null,
  ) => {
    images.target.proxy.fault = fault;
  };
  /** Starts a run, waits until the target's proxy holds the push of a manifest, and returns the run and `letGo`. */
  async function held(
    to: string,
  ): Promise<{ key: string; record: RecordInfo; letGo: () => void }> {
    const { until, letGo } = createGate();
    breakTarget(({ method, path }) =>
      method === "PUT" && path.includes(`/${to}/`) && path.includes("/manifests/")
        ? { kind: "hold", until }
        : null,
    );
    const key = await send(to, one(to));
    const isHeld = () =>
      images.target.proxy.requests.some(
        ({ path, method, closed: ended }) =>
          method === "PUT" &&
          path.includes(`/${to}/`) &&
          path.includes("/manifests/") &&
          ended === null,
      );
    return { key, record: await follow(product, key, isHeld, PATIENCE_MS), letGo };
  }

  return {
    "images-sent": async () => saveRun("images-sent", await send("sent", one("sent"))),
    "images-of-objects": async () => saveRun("images-of-objects", await send("objects")),
    "images-fast-fail": async () => {
      breakTarget(({ method, path }) =>
        method === "PUT" && path.includes("/manifests/v2")
          ? { kind: "answer", status: 413 }
          : null,
      );
      await saveRun(
        "images-fast-fail",
        await send("strict", {
          ...one("strict"),
          setting: { errorStrategy: "FAST_FAIL" },
        }),
      );
    },
    "images-again": async () => {
      const refused = new Set<string>();
      breakTarget(({ method, path }) => {
        if (method !== "PUT" || !path.includes("/manifests/") || refused.has(path))
          return null;
        refused.add(path);
        return { kind: "answer", status: 503 };
      });
      await saveRun("images-again", await send("again", one("again")));
    },
    "images-listed-again": async () => {
      let refusals = 0;
      images.source.proxy.fault = ({ path }) =>
        path.includes("/tags/list") && (refusals += 1) <= 2
          ? { kind: "answer", status: 503 }
          : null;
      await saveRun("images-listed-again", await send("listed", one("listed")));
    },
    "images-not-listed": async () => {
      const { until, letGo } = createGate();
      images.source.proxy.fault = ({ path }) =>
        path.startsWith("/v2/team/other/tags/list") ? { kind: "hold", until } : null;
      const key = await send("unlisted");
      const isHeld = () =>
        images.source.proxy.requests.some(
          ({ path, closed: ended }) =>
            path.startsWith("/v2/team/other/tags/") && ended === null,
        );
      const { workflowId } = await follow(
        product,
        key,
        ({ counts }) => counts.planned > 0 && isHeld(),
        PATIENCE_MS,
      );
      await failPending(workflowId, "listPages");
      letGo();
      await saveRun("images-not-listed", key);
    },
    "images-many": async () =>
      saveRun(
        "images-many",
        await send("many", {
          objects: Array.from({ length: MANY }, (_, at) =>
            image(`many/app-${at}`, "many"),
          ),
        }),
      ),
    "images-stopped": async () => {
      const { key, letGo } = await held("stopped");
      await product.stop(key);
      await saveRun("images-stopped", key);
      letGo();
    },
    "images-batch-lost": async () => {
      const { key, record, letGo } = await held("lost");
      const target = `${record.workflowId}/target/images`;
      // Three deaths: of two workers, and of the process for this batch alone.
      for (let deaths = 0; deaths < 3; deaths += 1)
        await failPending(target, "transferBatch");
      letGo();
      await saveRun("images-batch-lost", key);
    },
    "images-broken-off": async () => {
      const { key, record, letGo } = await held("broken");
      await client.workflow
        .getHandle(`${record.workflowId}/target/images`)
        .terminate("by hand");
      await saveRun("images-broken-off", key);
      letGo();
    },
    "images-and-files": async () => {
      await filled;
      const { projectId, cluster } = files;
      await files.product.linked(projectId, "linked", images.source.url);
      await files.product.hosted(projectId, "beside");
      await files.product.upload(projectId, "beside", "/a.bin", Buffer.from("a"));
      const objects: TaskObject[] = [
        { ...image("team/app", "from-a-registry"), localRepoName: "linked" },
        { localRepoName: "beside", repoType: "GENERIC" },
      ];
      const key = await files.product.run({ projectId, objects, clusters: [cluster] });
      await save(
        "images-and-files",
        (await closed(files.product, key, PATIENCE_MS)).workflowId,
      );
    },
  };

  /** Fails a pending activity, as if its worker had died. */
  async function failPending(workflowId: string, type: string): Promise<void> {
    for (let failed = 0; failed === 0; await sleep(100)) {
      const { raw } = await client.workflow.getHandle(workflowId).describe();
      for (const { activityId, activityType, state } of raw.pendingActivities ?? []) {
        if (activityType?.name !== type || state !== STARTED) continue;
        // If the activity has ended meanwhile, this fails nothing, and the loop finds the next one.
        const isFailed = client.activity
          .fail(
            { workflowId, activityId: activityId ?? "" },
            ApplicationFailure.nonRetryable("its worker died"),
          )
          .then(
            () => 1,
            () => 0,
          );
        failed += await isFailed;
      }
    }
  }
}
