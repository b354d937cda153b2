import { ApplicationFailure, Client } from "@temporalio/client";
import { expect, test } from "vitest";
import { clientConnection } from "../../temporal/connect.ts";
import { startImpatientServer } from "../workflows/histories/server.ts";
import {
  closed,
  createGate,
  follow,
  unique,
  type TaskObject,
} from "../rigs/runs/run-fixture.ts";
import { readHistories } from "../rigs/runs/run-histories.ts";
import { startFileRig, startImageRig } from "../rigs/runs/run-rig.ts";
import { each, fillRegistry, fillRepository } from "../rigs/runs/run-sources.ts";

/**
 * Number of objects: more than 300 pairs of object and cluster, so that each cluster has one child
 * workflow for all objects.
 */
const OBJECTS = Number(process.env["MANY_OBJECTS"] ?? 500);
const CLUSTERS = Number(process.env["MANY_CLUSTERS"] ?? 3);
const FILLED = 20;
const FILES = 5;
/**
 * Maximum events in the history of a run with a child for each cluster (LONGEST_RUN), and of a child,
 * which continues as new at 4,096 after it has ended the batches in its window.
 */
const LONGEST_RUN = 200;
const LONGEST_CHILD = 4_400;

test(
  "a run of a task with many objects ends, and no workflow history grows with their number",
  { timeout: 1_800_000 },
  async () => {
    const { center, edge, product, projectId, cluster, proxy, end } =
      await startFileRig();
    try {
      const names = Array.from({ length: OBJECTS }, (_, at) => `repository-${at}`);
      await each(names, 16, (name) => product.hosted(projectId, name));
      await each([...Array.from({ length: FILLED }).keys()], 2, async (at) => {
        await fillRepository(
          product,
          projectId,
          `repository-${Math.floor((at * OBJECTS) / FILLED)}`,
          Array.from({ length: FILES }, (_, file) => file + 1),
        );
      });
      const others = await Promise.all(
        Array.from({ length: CLUSTERS - 1 }, () =>
          product.partner(unique("edge"), edge, proxy.url),
        ),
      );
      const key = await product.run({
        projectId,
        objects: names.map((localRepoName) => ({ localRepoName, repoType: "GENERIC" })),
        clusters: [cluster, ...others],
      });
      const record = await closed(product, key, 1_500_000);
      const all = FILLED * FILES * CLUSTERS;
      expect(record).toMatchObject({
        status: "SUCCESS",
        counts: { planned: all, success: all, failed: 0, notDone: 0 },
      });
      const lengths = [
        ...(await readHistories(center.endpoints().temporal, record.workflowId)),
      ].map(([id, { events }]) => ({
        child: !id.startsWith(`${record.workflowId} `),
        events: events?.length ?? 0,
      }));
      console.log(
        `${OBJECTS} objects, ${CLUSTERS} clusters: ${lengths.map(({ events }) => events).join(", ")} events`,
      );
      expect(
        Math.max(...lengths.map(({ child, events }) => (child ? 0 : events))),
      ).toBeLessThan(LONGEST_RUN);
      expect(Math.max(...lengths.map(({ events }) => events))).toBeLessThan(
        LONGEST_CHILD,
      );
    } finally {
      await end();
    }
  },
);

/** Returns one task object for each image, all of the same linked repository. */
const imagesOf = (names: readonly string[]): TaskObject[] =>
  names.map((name) => ({
    localRepoName: "images",
    repoType: "OCI",
    packageConstraints: [{ packageKey: `docker://${name}` }],
  }));

test("an object that no worker can list fails the run, and the other objects are sent", async () => {
  const rig = await startImageRig();
  const connection = clientConnection({
    temporalAddress: rig.instance.endpoints().temporal,
  });
  try {
    const client = new Client({ connection });
    await fillRegistry(rig.source.url, ["team/app", "team/other"], 3);
    const { until, letGo } = createGate();
    rig.source.proxy.fault = ({ path }) =>
      path.startsWith("/v2/team/other/tags/list") ? { kind: "hold", until } : null;
    const key = await rig.product.run({
      projectId: rig.projectId,
      objects: imagesOf(["team/other", "team/app"]),
      clusters: [rig.cluster],
    });
    const { workflowId } = await follow(
      rig.product,
      key,
      ({ counts }) =>
        counts.planned === 3 &&
        rig.source.proxy.requests.some(
          ({ path, closed: over }) =>
            path.startsWith("/v2/team/other/tags") && over === null,
        ),
    );
    const listing = async () => {
      const { raw } = await client.workflow.getHandle(workflowId).describe();
      return (raw.pendingActivities ?? []).filter(
        ({ activityType }) => activityType?.name === "listPages",
      );
    };
    await expect.poll(listing).toHaveLength(1);
    for (const { activityId } of await listing())
      await client.activity.fail(
        { workflowId, activityId: activityId ?? "" },
        ApplicationFailure.nonRetryable("its worker died"),
      );
    const record = await closed(rig.product, key);
    letGo();
    expect(record).toMatchObject({
      status: "FAILED",
      errorReason: `${rig.projectId}/images cannot be listed: its worker died`,
      counts: { planned: 3, success: 3, failed: 0, notDone: 0 },
    });
  } finally {
    await connection.close();
    await rig.end();
  }
});

test("a run with a long history continues as new while it lists and before it sends, and loses nothing", async () => {
  const server = await startImpatientServer(20);
  const rig = await startImageRig({ temporalAddress: server.address });
  try {
    const names = Array.from({ length: 30 }, (_, at) => `team/app-${at}`);
    await fillRegistry(rig.source.url, names, 1);
    const record = await closed(
      rig.product,
      await rig.product.run({
        projectId: rig.projectId,
        objects: imagesOf(names),
        clusters: [rig.cluster],
      }),
    );
    expect(record).toMatchObject({
      status: "SUCCESS",
      counts: { planned: 30, success: 30, failed: 0, notDone: 0 },
    });
    const runs = [...(await readHistories(server.address, record.workflowId))].filter(
      ([id]) => id.startsWith(`${record.workflowId} `),
    );
    expect(runs.length).toBeGreaterThan(2);
    const listed = runs.map(
      ([, { events }]) =>
        (events ?? []).filter(
          ({ activityTaskScheduledEventAttributes: scheduled }) =>
            scheduled?.activityType?.name === "listPages",
        ).length,
    );
    expect(listed.reduce((sum, one) => sum + one, 0)).toBe(30);
    expect(listed.at(-1)).toBe(0);
  } finally {
    await rig.end();
    await server.stop();
  }
});
