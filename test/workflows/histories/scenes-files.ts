import { setTimeout as sleep } from "node:timers/promises";
import { firingId } from "../../../domain/firing.ts";
import {
  FORM,
  queues,
  TASK_RUN,
  type TaskRunInput,
} from "../../../workflows/contract.ts";
import { hosted } from "../../bench/rig.ts";
import {
  closed,
  createGate,
  type TaskDraft,
  unique,
} from "../../rigs/runs/run-fixture.ts";
import { fillRepository } from "../../rigs/runs/run-sources.ts";
import { PATIENCE_MS, type Scenes, type Stage } from "./scenes-images.ts";

/**
 * Enough pairs of object and cluster (over 300) that each cluster gets one child workflow for all objects, and enough
 * clusters that they are read in several pages.
 */
const [OBJECTS, CLUSTERS] = [8, 40];
const MANY = 20_000;
const DAY = 86_400_000;

/** Creates scenes in which files are sent to another instance, by hand and by schedules. */
export function createFileScenes({ files, client, save }: Stage): Scenes {
  const { product, projectId, cluster } = files;
  const partners = (count: number) =>
    Promise.all(
      Array.from({ length: count }, () =>
        product.partner(unique("edge"), files.edge, files.proxy.url),
      ),
    );

  async function send(
    names: string[],
    draft: Partial<TaskDraft> = {},
    count = 5,
  ): Promise<string> {
    for (const name of names) {
      await product.hosted(projectId, name);
      await fillRepository(
        product,
        projectId,
        name,
        Array.from({ length: count }, (_, at) => at + 1),
      );
    }
    return product.run({
      projectId,
      objects: names.map((localRepoName) => ({ localRepoName, repoType: "GENERIC" })),
      clusters: [cluster],
      ...draft,
    });
  }
  const saveRun = async (name: string, key: string) =>
    save(name, (await closed(product, key, PATIENCE_MS)).workflowId);
  const cron = (cronExpression: string) => ({
    setting: {
      executionStrategy: "CRON_EXPRESSION",
      executionPlan: { executeImmediately: false, cronExpression },
    },
  });

  /** Starts a run as a schedule would, with the given due time. */
  async function fire(
    name: string,
    key: string,
    due: number,
    schedule: string,
  ): Promise<void> {
    const task = await product.task(key);
    const [{ workflowId: earlier = "" } = {}] = await product.records(
      await send([unique("earlier-")]),
    );
    const { taskQueue } = await client.workflow.getHandle(earlier).describe();
    const ours = queues(taskQueue.replace(/^orchestrate-/, ""));
    const input: TaskRunInput = {
      taskKey: key,
      taskName: task.name,
      projectId,
      recordId: null,
      schedule,
      queues: ours,
      searchAttributes: true,
      form: FORM,
    };
    const workflowId = firingId(task, due);
    await client.workflow.start(TASK_RUN, { workflowId, taskQueue, args: [input] });
    await save(name, workflowId);
  }

  return {
    "files-sent": async () => saveRun("files-sent", await send(["few"])),
    "files-two-by-two": async () =>
      saveRun(
        "files-two-by-two",
        await send(["one", "two"], { clusters: [cluster, ...(await partners(1))] }),
      ),
    "files-anew": async () => {
      // MANY files give more batches than a run may have under way at once, so it has to cut several times.
      await hosted(
        { first: files.center, product },
        "many",
        Array.from({ length: MANY }, (_, at) => ({
          path: `/${at % 7}/${at}.bin`,
          content: Buffer.from(`file ${at}`),
        })),
        projectId,
      );
      await saveRun(
        "files-anew",
        await product.run({
          projectId,
          objects: [{ localRepoName: "many", repoType: "GENERIC" }],
          clusters: [cluster],
        }),
      );
    },
    "files-walked": async () => {
      const names = Array.from({ length: OBJECTS }, (_, at) => `walked-${at}`);
      await saveRun(
        "files-walked",
        await send(names, { clusters: [cluster, ...(await partners(CLUSTERS - 1))] }, 1),
      );
    },
    "files-fired": async () => {
      const key = await send(["fired"], cron("0/2 * * * * ?"));
      while ((await product.records(key)).length === 0) await sleep(100);
      await product.toggle(key);
      await saveRun("files-fired", key);
      await product.remove(key);
    },
    "files-fired-busy": async () => {
      const key = await send(["fired-busy"], {
        ...cron("0 0 0 1 1 ?"),
        clusters: [cluster],
      });
      const { until, letGo } = createGate();
      files.proxy.fault = ({ path }) =>
        path.includes("/sync/") ? { kind: "hold", until } : null;
      await product.execute(key);
      await fire(
        "files-fired-busy",
        key,
        Math.floor(Date.now() / 1000) * 1000,
        "0 0 0 1 1 ? in UTC",
      );
      letGo();
      await closed(product, key, PATIENCE_MS);
    },
    "files-fired-late": async () =>
      fire(
        "files-fired-late",
        await send(["fired-late"], cron("0 0 0 1 1 ?")),
        Math.floor(Date.now() / DAY) * DAY - 400 * DAY,
        "0 0 0 1 1 ? in UTC",
      ),
    "files-fired-stale": async () =>
      fire(
        "files-fired-stale",
        await send(["fired-stale"], cron("0 0 0 1 1 ?")),
        Math.floor(Date.now() / 1000) * 1000,
        "0 0 0 2 1 ? in UTC",
      ),
  };
}
